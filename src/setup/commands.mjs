import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { runApplication } from "./application.mjs";
import { runBench, runTypeScript } from "./bench.mjs";
import { runChecks, runFormat } from "./check.mjs";
import { runClients } from "./clients.mjs";
import { dashboard } from "./dashboard.mjs";
import { checkDocker } from "./docker/check.mjs";
import { SetupError } from "./failure.mjs";
import { runForeground } from "./foreground.mjs";
import { generatedCode } from "./generated-code.mjs";
import { runGrafana } from "./grafana.mjs";
import { setUp } from "./setup.mjs";
import { runTests } from "./test.mjs";

/**
 * @typedef {object} Command
 * @property {string} summary
 * @property {string} usage
 * @property {string[]} [details] more lines of its help
 * @property {boolean} [ownHelp] whether `--help` is passed on
 * @property {boolean} [bare] takes no arguments
 * @property {import("./steps.mjs").Step} [force] a part of the set-up to rebuild
 * @property {(root: string, args: string[], parent: number) => Promise<number | undefined>} run
 *   gets the process that started this one; returns the exit code, or undefined when the program that ran has set it
 */

/** @type {Record<string, Command>} */
const COMMANDS = {
  experiment: {
    summary: "distil a data set and measure what one gradient step on it gives",
    usage: "npm run experiment -- [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["experiment", ...args], parent),
  },
  reproduce: {
    summary: "regenerate the tables of the 2022 study, beside its figures",
    usage: "npm run reproduce -- [TABLES] [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["reproduce", ...args], parent),
  },
  sweep: {
    summary: "run an experiment for every combination of the values that flags list",
    usage: "npm run sweep -- [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["sweep", ...args], parent),
  },
  stillhouse: {
    summary: "list, watch, change and export experiments; list and drain workers",
    usage: "npm run stillhouse -- COMMAND [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["stillhouse", ...args], parent),
  },
  serve: {
    summary: "run the control plane as a service for clients and workers",
    usage: "npm run serve -- [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["serve", ...args], parent),
  },
  worker: {
    summary: "compute for a control plane of this or another machine",
    usage: "npm run worker -- --connect tcp://HOST:PORT [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["worker", ...args], parent),
  },
  replay: {
    summary: "train on one task after the other, with distilled samples as the memory",
    usage: "npm run replay -- --tasks TASKS [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["replay", ...args], parent),
  },
  robustness: {
    summary: "measure distilled data under conditions that it was not distilled for",
    usage: "npm run robustness -- ARTIFACT [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["robustness", ...args], parent),
  },
  verify: {
    summary: "train the learners of an exported result again, and compare their accuracies",
    usage: "npm run verify -- FOLDER [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["verify", ...args], parent),
  },
  inspect: {
    summary: "show the content of distilled data: nearest tokens, labels, attention, rates",
    usage: "npm run inspect -- ARTIFACT [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["inspect", ...args], parent),
  },
  doctor: {
    summary: "show versions, devices, what is cached and what can be reached",
    usage: "npm run doctor -- [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["doctor", ...args], parent),
  },
  keys: {
    summary: "create keys and certificates for a server on the network, and bearer tokens",
    usage: "npm run keys -- [token add|ls|rm NAME] [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args, parent) => runApplication(root, ["keys", ...args], parent),
  },
  setup: {
    summary: "only the set-up that every command starts with",
    usage: "npm run setup",
    details: [
      "Installs the npm packages (node_modules) and a Python environment (.venv), generates code and",
      "builds the dashboard. Parts that are up to date stay as they are. To rebuild a part, delete its folder.",
      "STILLHOUSE_PYTHON names the Python to create the environment with.",
    ],
    bare: true,
    run: async () => {
      console.error("Stillhouse is set up.");
      return 0;
    },
  },
  test: {
    summary: "run the tests of both languages",
    usage: "npm test -- [PATH…] [OPTIONS OF THE RUNNER]",
    details: [
      "PATH is a file or folder under test/ (TypeScript) or python_worker/tests (Python; `::name`",
      "picks one test). With paths of one language, options go to its runner. A folder's tests that",
      "take minutes (*.long.test.ts, @pytest.mark.long) are left to npm run test:long; one that is",
      "named runs.",
    ],
    run: (root, args) => runTests(root, args, "quick"),
  },
  "test:long": {
    summary: "run the tests of both languages that take minutes",
    usage: "npm run test:long -- [PATH…] [OPTIONS OF THE RUNNER]",
    details: [
      "Runs the files *.long.test.ts and the tests marked @pytest.mark.long, which npm test leaves",
      "out. Each of them has a short twin there. PATH and options as for npm test.",
    ],
    run: (root, args) => runTests(root, args, "long"),
  },
  check: {
    summary: "format, lint, types and import rules of both languages",
    usage: "npm run check",
    bare: true,
    run: runChecks,
  },
  format: {
    summary: "format the code and apply the safe fixes",
    usage: "npm run format",
    bare: true,
    run: runFormat,
  },
  generate: {
    summary: "regenerate the code of both languages from proto/",
    usage: "npm run generate",
    force: generatedCode,
    bare: true,
    run: async () => {
      console.error("Generated src/generated and python_worker/stillhouse_proto.");
      return 0;
    },
  },
  build: {
    summary: "write the dashboard to dist/dashboard",
    usage: "npm run build",
    details: [
      "Every command does this after a change of src/dashboard; this command always does it.",
    ],
    force: dashboard,
    bare: true,
    run: async () => {
      console.error("Built dist/dashboard.");
      return 0;
    },
  },
  screenshots: {
    summary: "take the pictures of the dashboard that the README shows",
    usage: "npm run screenshots -- --home DIR --experiment ID [--out DIR]",
    details: ["DIR is the home of a finished experiment; it is copied. Chromium is needed."],
    run: (root, args) =>
      runForeground(process.execPath, ["--import", "tsx", "test/screenshots.ts", ...args], {
        cwd: root,
      }),
  },
  clients: {
    summary: "write the packages for clients in Python and TypeScript to dist/clients",
    usage: "npm run clients",
    bare: true,
    run: (root) => runClients(root),
  },
  grafana: {
    summary: "write the dashboards of Grafana to docker/grafana/dashboards",
    usage: "npm run grafana",
    bare: true,
    run: runGrafana,
  },
  "docker:check": {
    summary: "check the images and the compose file as far as that goes without an engine",
    usage: "npm run docker:check",
    details: ["Takes minutes: it installs everything in a clean folder. Needs bubblewrap."],
    bare: true,
    run: checkDocker,
  },
  bench: {
    summary: "list the benchmarks, or run one",
    usage: "npm run bench -- NAME [--help] [FLAGS]",
    ownHelp: true,
    run: runBench,
  },
  chaos: {
    summary: "run experiments amid faults, and compare them with their calm twins",
    usage: "npm run chaos -- [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args) => runTypeScript(root, join("test", "chaos", "main.ts"), args),
  },
  fuzz: {
    summary: "send malformed input to every interface",
    usage: "npm run fuzz -- [--help] [FLAGS]",
    ownHelp: true,
    run: (root, args) => runTypeScript(root, join("test", "fuzz", "main.ts"), args),
  },
};

/**
 * Runs one npm script: the set-up, then the script's own work. Sets the exit code.
 *
 * @param {string[]} argv the script's name and its arguments
 * @param {number} parent the process that started this one
 */
export async function runCommand([name = "", ...args], parent) {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) return showOverview(name);
    if (!command.ownHelp && args.some((arg) => arg === "--help" || arg === "-h")) {
      console.log(commandHelp(command));
      return;
    }
    if (command.bare && args.length > 0) {
      throw new SetupError(`npm run ${name} takes no arguments, got: ${args.join(" ")}`, 2);
    }
    await setUp(root, { env: process.env, script: name, parent }, { force: command.force });
    process.exitCode = (await command.run(root, args, parent)) ?? process.exitCode;
  } catch (error) {
    console.error(describe(error));
    process.exitCode = error instanceof SetupError ? error.exitCode : 1;
  }
}

/** @param {string} name the unknown name, or what asks for help */
function showOverview(name) {
  const asked = ["", "help", "--help", "-h"].includes(name);
  const names = Object.keys(COMMANDS);
  const lines = names.map((key) => `  npm run ${key.padEnd(12)}${COMMANDS[key]?.summary}`);
  const text = `Commands (each sets up what is missing first; -- --help says more):\n${lines.join("\n")}`;
  if (asked) console.log(text);
  else {
    console.error(`There is no command "${name}".\n\n${text}`);
    process.exitCode = 2;
  }
}

/** @param {Command} command */
function commandHelp({ summary, usage, details = [] }) {
  const sentence = `${summary[0]?.toUpperCase()}${summary.slice(1)}.`;
  return [`Usage: ${usage}`, "", sentence, ...details].join("\n");
}

/** @param {unknown} error */
function describe(error) {
  if (error instanceof SetupError) return error.message;
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return process.env.STILLHOUSE_DEBUG
    ? stack
    : `This should not have happened: ${message}\nSTILLHOUSE_DEBUG=1 shows where.`;
}
