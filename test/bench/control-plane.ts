import { parseArgs } from "node:util";
import { compare } from "./control-plane/compare.js";
import { measureCpuShare } from "./control-plane/cpu-share.js";
import { measureDelay, measureThroughput } from "./control-plane/dispatch.js";
import { rounded } from "./control-plane/figures.js";
import { measureIntake } from "./control-plane/intake.js";
import { measureLatency } from "./control-plane/latency.js";
import { measureWatching } from "./control-plane/watching.js";

const HELP = `Usage: npm run bench -- control-plane [--quick] [--compare] [--json]

Measures a control plane in a process of its own, on loopback and on the disk of the temporary
folder, with simulated workers that speak the worker protocol over ZeroMQ.

  --quick    fewer points, tasks and calls: about three minutes
  --compare  also metric intake by MLflow's tracking server and jobs by Ray, installed into an
             environment of their own in the cache folder on first use
  --json     the figures as JSON`;

const NUM_WORKERS = 200;
const NUM_WATCHERS = 100;
const NUM_STORED = 10_000;
const QUEUE_LENGTHS = [100, 10_000];
const MIB = 1024 * 1024;

const SIZES = {
  quick: { points: 1_000_000, tasks: 1_000, delays: 500, calls: 300, watchS: 10, outerSteps: 50 },
  full: {
    points: 10_000_000,
    tasks: 10_000,
    delays: 3_000,
    calls: 2_000,
    watchS: 60,
    outerSteps: 500,
  },
};

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    compare: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (options.help) console.log(HELP);
else await run(options.quick ? SIZES.quick : SIZES.full);

async function run(size: typeof SIZES.quick): Promise<void> {
  say(`metric points from ${NUM_WORKERS} workers`);
  const intake = await measureIntake(NUM_WORKERS, size.points);
  say(`tasks that take no time on ${NUM_WORKERS} workers`);
  const dispatchPerSecond = await measureThroughput(NUM_WORKERS, size.tasks);
  const p50: Record<string, number> = {};
  const p99: Record<string, number> = {};
  for (const length of QUEUE_LENGTHS) {
    say(`delay of dispatch while ${length} tasks wait`);
    const delay = await measureDelay(NUM_WORKERS, length, size.delays);
    p50[length] = rounded(delay.p50Ms);
    p99[length] = rounded(delay.p99Ms);
  }
  say(`delay of events at ${NUM_WATCHERS} watchers`);
  const watching = await measureWatching(NUM_WATCHERS, size.watchS);
  say(`calls with ${NUM_STORED} stored experiments`);
  const latency = await measureLatency(NUM_STORED, size.calls);
  say("processor time while a real worker trains");
  const cpu = await measureCpuShare(size.outerSteps);
  const figures = {
    metric_points_per_second: Math.round(intake.pointsPerSecond),
    metric_points: intake.numPoints,
    metric_memory_mib: {
      after_a_tenth: Math.round(intake.earlyRssBytes / MIB),
      most_afterwards: Math.round(intake.peakRssBytes / MIB),
    },
    call_p99_ms_meanwhile: rounded(intake.callP99Ms),
    dispatch_per_second: rounded(dispatchPerSecond),
    dispatch_p50_ms: p50,
    dispatch_p99_ms: p99,
    watch_p50_ms: rounded(watching.p50Ms),
    watch_p99_ms: rounded(watching.p99Ms),
    list_p99_ms: rounded(latency.listP99Ms),
    get_p99_ms: rounded(latency.getP99Ms),
    cpu_share: rounded(cpu.share),
    training_seconds: rounded(cpu.trainingSeconds),
    ...(options.compare ? { compare: await compare(say) } : {}),
  };
  if (options.json) console.log(JSON.stringify(figures, undefined, 2));
  else for (const [name, value] of Object.entries(figures)) show(name, value);
}

function show(name: string, value: unknown): void {
  const text =
    typeof value === "object" && value !== null
      ? Object.entries(value)
          .map(([key, part]) => `${key}: ${typeof part === "object" ? JSON.stringify(part) : part}`)
          .join(", ")
      : String(value);
  console.log(`${name.padEnd(26)} ${text}`);
}

function say(what: string): void {
  console.error(`measuring ${what} …`);
}
