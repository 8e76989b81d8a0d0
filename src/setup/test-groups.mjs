import { mkdtempSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Folders whose files share processes, and how many. A process of its own per file costs about a
 * second of CPU for the compiler alone, and the same again to load what most files import.
 */
const SHARED = new Map([
  [join("test", "unit"), 2],
  [join("test", "integration"), 1],
]);

/**
 * Files of those folders that run alone: they start processes and wait for them, so sharing would
 * save little and make them wait for each other.
 */
const ALONE = new Set([
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

/**
 * What the test runner, which starts a process per file, is given for these test files: those that
 * share a process through a file that imports them, each as a suite of its name, so that a failure
 * names it and its hooks are its own.
 *
 * @param {string} root
 * @param {string[]} files absolute
 * @param {string} folder where such files are written
 * @returns {string[]} absolute, too
 */
export function groupTestFiles(root, files, folder) {
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  const alone = [];
  for (const file of files) {
    const shared = sharedFolder(relative(root, file));
    if (shared === undefined) alone.push(file);
    else groups.set(shared, [...(groups.get(shared) ?? []), file]);
  }
  const entries = [...groups].flatMap(([shared, members]) =>
    deal(members, SHARED.get(shared) ?? 1).map((hand) => writeEntry(root, hand, folder)),
  );
  return [...entries, ...alone];
}

/** @param {string} file @returns {string | undefined} */
function sharedFolder(file) {
  if (ALONE.has(basename(file)) || file.endsWith(".long.test.ts")) return undefined;
  for (let place = dirname(file); place !== "."; place = dirname(place)) {
    if (SHARED.has(place)) return place;
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
