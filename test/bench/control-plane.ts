import { parseArgs } from "node:util";
import { measureOnPostgres, stopServer } from "./control-plane/bench-store.js";
import { measureCommits } from "./control-plane/commits.js";
import { compare } from "./control-plane/compare.js";
import { measureCpuShare } from "./control-plane/cpu-share.js";
import { measureDelay, measureThroughput } from "./control-plane/dispatch.js";
import { rounded } from "./control-plane/figures.js";
import { measureFleet } from "./control-plane/fleet.js";
import { measureIntake } from "./control-plane/intake.js";
import { measureLatency } from "./control-plane/latency.js";
import { measureLoad } from "./control-plane/load.js";
import { measureMillion } from "./control-plane/million.js";
import { measureWatching } from "./control-plane/watching.js";

const HELP = `Usage: npm run bench -- control-plane [options]

Measures a control plane in a process of its own, on loopback and on the disk of the temporary
folder, with simulated workers that speak the worker protocol over ZeroMQ.

  --quick       fewer points, tasks and calls: about three minutes
  --points <n>  metric points to take in (default: 10,000,000, with --quick a tenth of it)
  --only <what> some of intake,dispatch,commits,watch,calls,load,cpu,fleet,million, or "" for none
                (default: all but fleet, which takes minutes and 20,000 open files, and million,
                which fills a home of some gigabytes)
  --store <s>   sqlite (default), or postgres: a server of Debian's package, started for it
  --compare     also metric intake in turns with MLflow's tracking server, and jobs in turns with
                Ray, installed into an environment of their own in the cache folder on first use
  --json        the figures as JSON`;

const NUM_WORKERS = 200;
const NUM_WATCHERS = 100;
const NUM_STORED = 10_000;
const QUEUE_LENGTHS = [100, 10_000];
const MIB = 1024 * 1024;

interface Size {
  readonly points: number;
  readonly tasks: number;
  readonly delays: number;
  readonly commits: number;
  readonly calls: number;
  readonly watchS: number;
  readonly outerSteps: number;
  /** Numbers of workers. */
  readonly fleets: readonly number[];
  readonly fleetTasks: number;
  /** Pairs of a number of experiments and a number of shards per experiment. */
  readonly loads: readonly (readonly [number, number])[];
  /** Stored experiments. */
  readonly million: number;
}

const SIZES: Record<"quick" | "full", Size> = {
  quick: {
    points: 1_000_000,
    tasks: 1_000,
    delays: 500,
    commits: 500,
    calls: 300,
    watchS: 10,
    outerSteps: 300,
    fleets: [100, 1_000],
    fleetTasks: 500,
    loads: [
      [1_000, 9],
      [5, 1_999],
    ],
    million: 50_000,
  },
  full: {
    points: 10_000_000,
    tasks: 10_000,
    delays: 3_000,
    commits: 5_000,
    calls: 2_000,
    watchS: 60,
    outerSteps: 500,
    fleets: [100, 1_000, 5_000],
    fleetTasks: 2_000,
    loads: [
      [10_000, 9],
      [50, 1_999],
    ],
    million: 1_000_000,
  },
};

const MEASUREMENTS: Readonly<Record<string, (size: Size) => Promise<object>>> = {
  intake: async ({ points }) => {
    say(`${points} metric points from ${NUM_WORKERS} workers`);
    const intake = await measureIntake(NUM_WORKERS, points);
    return {
      metric_points_per_second: Math.round(intake.pointsPerSecond),
      metric_points: intake.numPoints,
      cpu_s_per_million_points: rounded(intake.cpuSPerMillion),
      metric_memory_mib: {
        after_a_tenth: Math.round(intake.earlyRssBytes / MIB),
        most_afterwards: Math.round(intake.peakRssBytes / MIB),
      },
      call_p99_ms_meanwhile: rounded(intake.callP99Ms),
    };
  },
  dispatch: async ({ tasks, delays }) => {
    say(`tasks that take no time on ${NUM_WORKERS} workers`);
    const perSecond = await measureThroughput(NUM_WORKERS, tasks);
    const p50: Record<string, number> = {};
    const p99: Record<string, number> = {};
    for (const length of QUEUE_LENGTHS) {
      say(`delay of dispatch while ${length} tasks wait`);
      const delay = await measureDelay(NUM_WORKERS, length, delays);
      p50[length] = rounded(delay.p50Ms);
      p99[length] = rounded(delay.p99Ms);
    }
    return { dispatch_per_second: rounded(perSecond), dispatch_p50_ms: p50, dispatch_p99_ms: p99 };
  },
  commits: async ({ commits }) => {
    say("changes of a task on the disk");
    const { perSecond, cpuMs } = await measureCommits(commits);
    return { commits_per_second: rounded(perSecond), commit_cpu_ms: rounded(cpuMs) };
  },
  watch: async ({ watchS }) => {
    say(`delay of events at ${NUM_WATCHERS} watchers`);
    const { p50Ms, p99Ms } = await measureWatching(NUM_WATCHERS, watchS);
    return { watch_p50_ms: rounded(p50Ms), watch_p99_ms: rounded(p99Ms) };
  },
  calls: async ({ calls }) => {
    say(`calls with ${NUM_STORED} stored experiments`);
    const { list, get } = await measureLatency(NUM_STORED, calls);
    return {
      list_p50_ms: rounded(list.p50Ms),
      list_p99_ms: rounded(list.p99Ms),
      get_p50_ms: rounded(get.p50Ms),
      get_p99_ms: rounded(get.p99Ms),
    };
  },
  load: async ({ loads }) => {
    const figures: Record<string, object> = {};
    for (const [experiments, shards] of loads) {
      say(`a start with ${experiments} experiments of ${shards + 1} tasks`);
      const load = await measureLoad(experiments, shards);
      figures[`load_${experiments}x${shards + 1}`] = {
        create_s: rounded(load.createS),
        start_s: rounded(load.startS),
        longest_block_ms: rounded(load.longestBlockMs),
        memory_mib: Math.round(load.rssBytes / MIB),
      };
    }
    return figures;
  },
  fleet: async ({ fleets, fleetTasks }) => {
    const figures: Record<string, object> = {};
    for (const numWorkers of fleets) {
      say(`${numWorkers} workers that join, beat, work and come back`);
      const cost = await measureFleet(numWorkers, fleetTasks);
      figures[`fleet_${numWorkers}`] = {
        hello_cpu_ms: rounded(cost.helloMs),
        heartbeat_cpu_ms: rounded(cost.heartbeatMs),
        task_cpu_ms: rounded(cost.taskMs),
        rejoin_cpu_ms: rounded(cost.rejoinMs),
        rejoin_s: rounded(cost.rejoinS),
        lost_leases: cost.numLost,
        memory_mib: cost.rssMib,
      };
    }
    return figures;
  },
  cpu: async ({ outerSteps }) => {
    say("processor time while a real worker trains");
    const { share, trainingSeconds } = await measureCpuShare(outerSteps);
    return { cpu_share: rounded(share), training_seconds: rounded(trainingSeconds) };
  },
  million: async ({ million, calls }) => {
    say(`a start and lists with ${million} stored experiments`);
    const found = await measureMillion(million, calls);
    const listP99 = Object.entries(found.listP99Ms).map(([list, ms]) => [list, rounded(ms)]);
    return {
      [`stored_${million}`]: {
        unfinished: found.numUnfinished,
        create_s: rounded(found.createS),
        start_s: rounded(found.startS),
        start_cpu_s: rounded(found.startCpuS),
        longest_block_ms: rounded(found.longestBlockMs),
        memory_mib: Math.round(found.rssBytes / MIB),
        list_p99_ms: Object.fromEntries(listP99),
        list_cpu_ms: rounded(found.pageCpuMs),
      },
    };
  },
};

const ON_DEMAND = ["fleet", "million"];

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    points: { type: "string" },
    only: { type: "string", default: measuredByDefault() },
    compare: { type: "boolean", default: false },
    store: { type: "string", default: "sqlite" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (options.help) console.log(HELP);
else await run();

async function run(): Promise<void> {
  const size = sizeOf();
  const figures: Record<string, unknown> = {};
  const names = wanted();
  if (wantsPostgres()) await measureOnPostgres();
  try {
    for (const name of names) Object.assign(figures, await MEASUREMENTS[name]?.(size));
  } finally {
    await stopServer();
  }
  if (options.compare) figures.compare = await compare(say);
  if (options.json) console.log(JSON.stringify(figures, undefined, 2));
  else for (const [name, value] of Object.entries(figures)) show(name, value);
}

function measuredByDefault(): string {
  return Object.keys(MEASUREMENTS)
    .filter((name) => !ON_DEMAND.includes(name))
    .join();
}

function sizeOf(): Size {
  const size = options.quick ? SIZES.quick : SIZES.full;
  if (options.points === undefined) return size;
  if (!/^[1-9]\d{0,9}$/.test(options.points)) {
    usage(`--points must be a whole number from 1 to 9999999999, got ${options.points}`);
  }
  return { ...size, points: Number(options.points) };
}

function wanted(): string[] {
  const names = options.only.split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !(name in MEASUREMENTS));
  if (unknown === undefined) return names;
  return usage(`--only must be of ${Object.keys(MEASUREMENTS).join(",")}, got ${unknown}`);
}

function wantsPostgres(): boolean {
  const { store } = options;
  if (store === "postgres" || store === "sqlite") return store === "postgres";
  return usage(`--store must be sqlite or postgres, got ${store}`);
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
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
