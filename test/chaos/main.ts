import { parseArgs } from "node:util";
import { keptByNpm } from "../../src/cli/terminal/kept-by-npm.js";
import { isWhole, runChaos } from "./chaos.js";

const HELP = `Usage: npm run chaos -- [--faults N] [--seed S] [--workers N] [--json]

Runs many small real experiments, with keys and tokens, while worker and server processes are killed,
paused and cut off, the disk is full, keys are withdrawn, and experiments are cancelled, resumed,
retried and deleted, all at random. Runs each of them without faults as well, and compares the results
byte for byte. A fault takes about three seconds. The exit code is 0 when nothing was lost, doubled or
different. The counts are always printed. Ctrl-C ends the faults early; a second Ctrl-C exits at once.

  --faults N   (default: 20)
  --seed S     decides what happens when (default: at random; it is printed)
  --workers N  worker processes beside the one that the server starts (default: 2)
  --json       the counts as JSON: {seed, faults, experiments, equal_to_calm, lost, duplicated, …}`;

/** A second or two of work. */
const OUTER_STEPS = 50;

const kept = keptByNpm("chaos", process.argv.slice(2), process.env, HELP);
if (kept !== undefined) {
  console.error(kept);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "20" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    workers: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

function count(name: "faults" | "seed" | "workers", least: number): number {
  const text = values[name];
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value < 2 ** 31) return value;
  console.error(
    `--${name} must be a whole number of at least ${least}, got ${JSON.stringify(text)}`,
  );
  process.exit(2);
}

if (values.help) {
  console.log(HELP);
} else {
  const seed = count("seed", 0);
  console.error(`seed ${seed}`);
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(130);
      console.error("no more faults; waiting for the experiments that have begun …");
      stopping.abort();
    });
  }
  const result = await runChaos({
    faults: count("faults", 0),
    seed,
    numWorkers: count("workers", 1),
    outerSteps: OUTER_STEPS,
    say: (text) => console.error(text),
    stop: stopping.signal,
  });
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(name, value);
  process.exit(isWhole(result) ? 0 : 1);
}
