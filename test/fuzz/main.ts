import { parseArgs } from "node:util";
import { keptByNpm } from "../../src/cli/terminal/kept-by-npm.js";
import { explained, type Target } from "./target.js";
import { TARGETS } from "./targets.js";

const HELP = `Usage: npm run fuzz -- [TARGET…] [--cases N] [--seed S] [--json]

Sends malformed input to everything that reads input from outside, and fails at a crash, a hang,
growing memory or an error that is not the sender's fault. A case that fails is shrunk and printed
with its seed.

  TARGET…    ${Object.keys(TARGETS).join(", ")} (default: all)
  --cases N  for each target (default: 10000)
  --seed S   (default: at random; it is printed)
  --json     {seed, cases, failed: [TARGET…]}`;

const kept = keptByNpm("fuzz", process.argv.slice(2), process.env, HELP);
if (kept !== undefined) {
  console.error(kept);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

function wholeNumber(name: "cases" | "seed"): number {
  const text = values[name];
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new RangeError(`--${name} must be a whole number below 10^9, got ${JSON.stringify(text)}`);
}

function chosen(): [string, Target][] {
  const unknown = positionals.find((name) => !Object.hasOwn(TARGETS, name));
  if (unknown !== undefined) {
    throw new RangeError(
      `there is no target ${JSON.stringify(unknown)}; there are ${Object.keys(TARGETS).join(", ")}`,
    );
  }
  const all = Object.entries(TARGETS);
  return positionals.length === 0 ? all : all.filter(([name]) => positionals.includes(name));
}

async function run(): Promise<number> {
  const extent = { cases: wholeNumber("cases"), seed: wholeNumber("seed") };
  const targets = chosen();
  console.error(`seed ${extent.seed}, ${extent.cases} cases for each target`);
  const failed: string[] = [];
  for (const [name, target] of targets) {
    const startMs = performance.now();
    try {
      await target(extent);
      console.error(`✓ ${name} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed.push(name);
      console.error(`✗ ${name}\n${explained(error)}`);
    }
  }
  if (values.json) console.log(JSON.stringify({ ...extent, failed }));
  return failed.length === 0 ? 0 : 1;
}

if (values.help) {
  console.log(HELP);
} else {
  try {
    process.exitCode = await run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
