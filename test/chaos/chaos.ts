import type { StillhouseClient } from "../../src/api/client.js";
import type { Experiment } from "../../src/generated/stillhouse/v1/experiment.js";
import { compareOutcomes, type Outcome } from "./outcome.js";
import { Storm } from "./storm.js";
import { System } from "./system.js";
import { tinySpec } from "./tiny-spec.js";

export interface ChaosOptions {
  readonly faults: number;
  readonly seed: number;
  /** Remote workers; the control plane may start one more itself. */
  readonly numWorkers: number;
  /** Outer steps per experiment, which determine how long it takes. */
  readonly outerSteps: number;
  readonly say: (text: string) => void;
  /** Ends the faults early. */
  readonly stop?: AbortSignal;
}

/** What a run counted. */
export interface ChaosResult {
  readonly seed: number;
  readonly faults: number;
  readonly experiments: number;
  /** Experiments with the same results as their calm twins, byte for byte. */
  readonly equal_to_calm: number;
  /** Accepted experiments, and metric points, that are missing. */
  readonly lost: number;
  /** Experiments that nobody asked for or that were deleted, and metric points that count twice. */
  readonly duplicated: number;
  /** Experiments that were resumed by a call, since faults had failed one of their tasks. */
  readonly resumed: number;
  readonly by_kind: Readonly<Record<string, number>>;
  /** What ended the run before anything could be compared. */
  readonly error?: string;
}

/** Whether the run was completed and nothing was lost, doubled or different. */
export function isWhole(result: ChaosResult): boolean {
  const { experiments, equal_to_calm, lost, duplicated, error } = result;
  return error === undefined && equal_to_calm === experiments && lost + duplicated === 0;
}

/** Compares real experiments amid faults with their calm twins: the same ones without faults. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { say, numWorkers, seed, stop = new AbortController().signal } = options;
  const chaotic = new System({ name: "chaotic", numWorkers, numOwnWorkers: 1, hasKeys: true });
  const calm = new System({ name: "calm", numWorkers: 1, numOwnWorkers: 0, hasKeys: false });
  const stopBoth = () => Promise.all([chaotic.stop(), calm.stop()]);
  let storm: Storm | undefined;
  try {
    await Promise.all([chaotic.start(), calm.start()]);
    const spec = await tinySpec(calm.client, options.outerSteps);
    const twins = new Map<string, Promise<Experiment>>();
    storm = new Storm(chaotic, spec, {
      ...options,
      stop,
      onAccepted: (request, twin) => {
        const created = calm.client.create(twin, request);
        const ended = created.then(({ id }) => calm.ended(id));
        // It is awaited at the end, where a failure is reported.
        ended.catch(() => undefined);
        twins.set(request, ended);
      },
    });
    await storm.run();
    say(`${storm.requests.size} experiments ended; waiting for their calm twins …`);
    const calmEnds = new Map<string, Experiment>();
    for (const request of storm.requests.keys()) {
      const twin = await twins.get(request);
      if (twin) calmEnds.set(request, twin);
    }
    const listed = await allExperiments(chaotic.client);
    await stopBoth();
    const books = booksOf(storm, listed, chaotic.outcomes(listed), calmEnds, calm);
    return { ...countsOf(storm, seed), ...books };
  } catch (thrown) {
    const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { ...countsOf(storm, seed), equal_to_calm: 0, lost: 0, duplicated: 0, error };
  } finally {
    await stopBoth();
    for (const system of [chaotic, calm]) system.remove();
  }
}

function countsOf(storm: Storm | undefined, seed: number) {
  return {
    seed,
    faults: storm?.numFaults ?? 0,
    experiments: storm?.requests.size ?? 0,
    resumed: storm?.numResumed ?? 0,
    by_kind: Object.fromEntries(storm?.byKind ?? []),
  };
}

function booksOf(
  storm: Storm,
  listed: readonly Experiment[],
  outcomes: ReadonlyMap<string, Outcome>,
  calmEnds: ReadonlyMap<string, Experiment>,
  calm: System,
) {
  const calmOutcomes = calm.outcomes([...calmEnds.values()]);
  const totals = { equal_to_calm: 0, lost: 0, duplicated: 0 };
  for (const [request, id] of storm.requests) {
    const chaotic = outcomes.get(id);
    const twin = calmOutcomes.get(calmEnds.get(request)?.id ?? "");
    if (!chaotic || !twin) {
      totals.lost++;
      continue;
    }
    const difference = compareOutcomes(twin, chaotic);
    const { isEqual, lost, duplicated } = difference;
    if (isEqual) totals.equal_to_calm++;
    totals.lost += lost;
    totals.duplicated += duplicated;
    if (!isEqual || lost + duplicated > 0) {
      storm.say(`${id} differs: ${JSON.stringify(difference)}`);
      if (!isEqual) storm.say(`  calm    ${twin.results}\n  chaotic ${chaotic.results}`);
    }
  }
  const accepted = new Set(storm.requests.values());
  totals.duplicated += listed.filter(({ id }) => !accepted.has(id)).length;
  return totals;
}

async function allExperiments(client: StillhouseClient): Promise<Experiment[]> {
  const found: Experiment[] = [];
  let token = "";
  do {
    const page = await client.list(100, token);
    found.push(...page.experiments);
    token = page.nextPageToken;
  } while (token !== "");
  return found;
}
