import { mkdtempSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Folders whose files share processes, and how many. A process of its own per file costs four to
 * six seconds of CPU, for the compiler and to load what most files import.
 */
const SHARED = new Map([
  [join("test", "e2e"), 2],
  [join("test", "integration"), 1],
  [join("test", "unit"), 2],
]);

/**
 * Files of integration tests that mostly wait for processes. They share processes of their own, so
 * that other files do not wait with them.
 */
const WAITING = new Set([
  "bench.test.ts",
  "bridge.test.ts",
  "chaos.test.ts",
  "contained-faults.test.ts",
  "faults.test.ts",
  "fuzz.test.ts",
  "leaving.test.ts",
  "many-tasks.test.ts",
  "mlflow.test.ts",
  "processes.test.ts",
  "prometheus.test.ts",
  "security.test.ts",
  "service-workers.test.ts",
  "slow-client.test.ts",
  "stranger.test.ts",
  "supervised-worker.test.ts",
  "surroundings.test.ts",
  "workers.test.ts",
]);
const WAITING_PROCESSES = 2;

/** Files that start something long when they are imported, or reserve ports then for later use. */
const ALONE = new Set(["experiment-interrupted.test.ts", "service.test.ts"]);

/** The files that the rules above name. */
export const NAMED_FILES = [...WAITING, ...ALONE];

/**
 * The files to give to the test runner, which starts a process per file. Test files that share a
 * process are imported by one file, each as a suite with its name, so that a failure names the file
 * and its hooks only run for its own tests.
 *
 * @param {string} root
 * @param {string[]} files absolute
 * @param {string} folder where such files are written
 * @returns {string[]} absolute, too
 */
export function groupTestFiles(root, files, folder) {
  /** @type {Map<string, { processes: number, members: string[] }>} */
  const groups = new Map();
  const alone = [];
  for (const file of files) {
    const group = groupOf(relative(root, file));
    if (group === undefined) {
      alone.push(file);
      continue;
    }
    const { members } = groups.get(group.name) ?? { members: [] };
    groups.set(group.name, { processes: group.processes, members: [...members, file] });
  }
  const entries = [...groups.values()].flatMap(({ processes, members }) =>
    deal(members, processes).map((hand) => writeEntry(root, hand, folder)),
  );
  // Files that run alone take longest, so they come first.
  return [...alone, ...entries];
}

/** @param {string} file @returns {{ name: string, processes: number } | undefined} */
function groupOf(file) {
  if (ALONE.has(basename(file)) || file.endsWith(".long.test.ts")) return undefined;
  if (WAITING.has(basename(file))) return { name: "waiting", processes: WAITING_PROCESSES };
  for (let place = dirname(file); place !== "."; place = dirname(place)) {
    const processes = SHARED.get(place);
    if (processes !== undefined) return { name: place, processes };
  }
  return undefined;
}

/** @param {string[]} files @param {number} count @returns {string[][]} none of them empty */
function deal(files, count) {
  const hands = Array.from({ length: count }, (_, index) =>
    files.filter((_, place) => place % count === index),
  );
  return hands.filter((hand) => hand.length > 0);
}

/** @param {string} root @param {string[]} files @param {string} folder */
function writeEntry(root, files, folder) {
  const suites = files.map((file) => {
    const [name, url] = [relative(root, file), pathToFileURL(file).href].map((text) =>
      JSON.stringify(text),
    );
    return `describe(${name}, async () => { await import(${url}); });\n`;
  });
  const entry = join(mkdtempSync(join(folder, "together-")), "together.test.mjs");
  writeFileSync(entry, `import { describe } from "node:test";\n${suites.join("")}`);
  return entry;
}
