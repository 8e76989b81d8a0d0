import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseExperimentArguments } from "../../src/cli/experiment/experiment-arguments.js";
import { parseReplayArguments } from "../../src/cli/replay/replay-arguments.js";
import { parseReproduceArguments } from "../../src/cli/reproduce/reproduce-arguments.js";
import { parseInspectArguments } from "../../src/cli/robustness/inspect.js";
import { parseRobustnessArguments } from "../../src/cli/robustness/robustness-arguments.js";
import { parseDoctorArguments } from "../../src/cli/service/doctor-arguments.js";
import { parseKeysArguments } from "../../src/cli/service/keys-arguments.js";
import { parseServeArguments } from "../../src/cli/service/serve-arguments.js";
import { parseWorkerArguments } from "../../src/cli/service/worker-arguments.js";
import { parseStillhouseArguments } from "../../src/cli/stillhouse/stillhouse.js";
import { parseSweepArguments } from "../../src/cli/sweep/sweep-arguments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TOP = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "proto/README.md"];
const PAGES = [
  ...TOP,
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

const LINK = /\]\(([^)\s]+)\)/g;
/** `src/errors.ts`, `docker/`: what inline code names below a folder of the project. */
const NAMED_PATH = /`((?:src|test|docs|docker|proto|examples|python_worker)\/[\w./-]*)`/g;
const COMMAND = /npm (?:run [a-z:]+|test)(?: --(?: [^`\n#│|]*)?)?/g;
const README_LINES = 140;
const README_WORDS = 1_400;
const FIRST_COMMAND_LINE = 45;

describe("the documentation", () => {
  for (const { path, text } of PAGES) {
    it(`${path}: every link leads to something that is there`, () => {
      const targets = [...text.matchAll(LINK)].map(([, target = ""]) => target);
      for (const target of targets.filter((each) => !/^https?:/.test(each))) {
        const [file = "", anchor] = target.split("#");
        const place = file === "" ? join(ROOT, path) : join(ROOT, dirname(path), file);
        assert.ok(existsSync(place), `${target} is not there`);
        if (anchor) assert.ok(anchorsOf(place).includes(anchor), `${target} has no such heading`);
      }
    });

    it(`${path}: every path that it names is there`, () => {
      for (const [, named = ""] of text.matchAll(NAMED_PATH)) {
        assert.ok(existsSync(join(ROOT, named)), `${named} is not there`);
      }
    });

    it(`${path}: every command that it shows is understood`, (test) => {
      const places = placesFor(temporaryFolder(test));
      for (const [command] of text.matchAll(COMMAND)) {
        const [, name = "", ...argv] = wordsOf(command);
        assert.doesNotThrow(() => understand(name, argv, places), command);
      }
    });
  }

  it("README is short, and its first command is near its beginning", () => {
    const { text } = PAGES[0] ?? { text: "" };
    const lines = text.trimEnd().split("\n");
    assert.ok(lines.length <= README_LINES, `${lines.length} lines`);
    const words = text.split(/\s+/).filter((word) => word !== "").length;
    assert.ok(words <= README_WORDS, `${words} words`);
    const first = lines.findIndex((line) => line.startsWith("    npm run experiment"));
    assert.ok(first >= 0 && first < FIRST_COMMAND_LINE, `it is on line ${first + 1}`);
  });
});

/** The anchors that common Markdown viewers give to headings. */
function anchorsOf(file: string): string[] {
  if (statSync(file).isDirectory()) return [];
  const headings = readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** "npm run NAME -- A B" as run, NAME, A, B; "npm test -- A" as run, test, A. In quotes is a word. */
function wordsOf(command: string): string[] {
  const found = command.match(/"[^"]*"|\S+/g) ?? [];
  const [, ...words] = found.map((word) => word.replaceAll('"', ""));
  // Only the first "--" is npm's own.
  const end = words.indexOf("--");
  const rest = words.filter((_, at) => at !== end);
  return rest[0] === "run" ? rest : ["run", ...rest];
}

/** A folder with the files that examples name. */
function placesFor(userFolder: string) {
  writeFileSync(join(userFolder, "my.yaml"), "dataset: ag_news\n");
  const pools = readFileSync(join(ROOT, "examples", "launchers.yaml"), "utf8");
  writeFileSync(join(userFolder, "launchers.yaml"), pools);
  for (const name of ["ca.crt", "anna.token"]) writeFileSync(join(userFolder, name), "x");
  for (const name of ["gpu1", "FOLDER"]) mkdirSync(join(userFolder, name));
  const home = join(userFolder, "home");
  return { userFolder, home, token: undefined, dataDir: undefined, columns: 80 };
}

/** @throws where the command does not accept the command line */
function understand(name: string, argv: string[], places: ReturnType<typeof placesFor>): void {
  const parse = PARSERS[name];
  if (parse) {
    parse(argv, places);
    return;
  }
  const scripts = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts;
  assert.ok(Object.hasOwn(scripts, name), `there is no script ${name}`);
  const source = sourceOf(name, argv);
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  for (const flag of argv.slice(0, end).filter((word) => /^--\S+$/.test(word))) {
    assert.ok(source.includes(flag.slice(2)), `${name} has no flag ${flag}`);
  }
  // Benchmarks hand the rest on to an experiment.
  parseExperimentArguments(argv.slice(end + 1), places);
}

type Places = ReturnType<typeof placesFor>;

const PARSERS: Readonly<Record<string, (argv: string[], places: Places) => unknown>> = {
  experiment: parseExperimentArguments,
  reproduce: parseReproduceArguments,
  sweep: parseSweepArguments,
  replay: parseReplayArguments,
  robustness: parseRobustnessArguments,
  inspect: parseInspectArguments,
  serve: parseServeArguments,
  worker: parseWorkerArguments,
  keys: parseKeysArguments,
  doctor: (argv) => parseDoctorArguments(argv, 80),
  stillhouse: (argv, places) => assert.ok(parseStillhouseArguments(argv, places)),
  test: (argv) => {
    const paths = argv.filter((word) => word !== "PATH").map((word) => word.split("::")[0] ?? "");
    for (const path of paths) assert.ok(existsSync(join(ROOT, path)), `${path} is not there`);
  },
};

/** The source file of a script without a parser of its own. */
function sourceOf(name: string, [first = ""]: string[]): string {
  const candidates = [
    `python_worker/bench/${first.replaceAll("-", "_")}.py`,
    `test/bench/${first}.ts`,
    `test/${name}/main.ts`,
    `test/${name}.ts`,
    "src/setup/commands.mjs",
  ];
  const found = candidates.find((path) => existsSync(join(ROOT, path)));
  assert.ok(found, relative(ROOT, name));
  return readFileSync(join(ROOT, found), "utf8");
}
