import { z } from "zod";
import { FailureKind, invalid, present, toFailure } from "../../errors.js";
import type { Failure } from "../../generated/stillhouse/v1/failure.js";
import type { ResolveExperimentResponse } from "../../generated/stillhouse/v1/service.js";
import { Protocol } from "../../generated/stillhouse/v1/spec.js";
import { type GroupSurroundings, withGroupSession } from "../group/group-command.js";
import { resolveGroup } from "../group/group-run.js";
import { GroupRunner, type Member } from "../group/group-runner.js";
import { resultOf } from "../results/result.js";
import type { ExperimentOutput } from "../run/experiment-output.js";
import type { Outcome } from "../run/experiment-runner.js";
import { requireSent } from "../run/sent-draft.js";
import type { Session } from "../run/session.js";
import type { SearchRequest } from "./search-arguments.js";
import { searchDocument, searchPlanText, searchText } from "./search-output.js";
import { axisDocument, suggestedText, suggestedValue, textInSpec } from "./search-space.js";
import { bestOf, type SearchSettings, type Trial } from "./trial.js";

/** Asks which settings to try next; see `inspection.suggest`. */
export type SuggestSettings = (request: object) => Promise<unknown>;

/** Exit code. */
const NONE_SUCCEEDED = 1;

/**
 * Searches for the settings with the best validation accuracy, and tests those.
 *
 * The first trial has the settings of the experiment without a search, if those are in the space.
 * Trial k is suggested from the results of all trials before it except the last `maxParallel` - 1,
 * which may still run. So the same command suggests the same trials again, and finds those that an
 * interrupted run has finished.
 *
 * @returns the exit code; 1 when no trial succeeded.
 */
export function runSearch(
  request: SearchRequest,
  surroundings: GroupSurroundings & { readonly suggestSettings: SuggestSettings },
  output: ExperimentOutput,
): Promise<number | undefined> {
  const { stdout } = surroundings.terminal;
  return withGroupSession(request, surroundings, output, async (own) => {
    const session = { ...own, server: request.server };
    const suggest = (trials: readonly AskedTrial[]) =>
      session.untilStopped(suggested(request, trials, surroundings.suggestSettings));
    // A mistake in what is tested at the end would else show only then.
    const suggestion = await suggest([]);
    const looked = resolveGroup([request.experimentOf(suggestion)], { ...session, ...request });
    const resolved = await session.untilStopped(looked);
    const first = present(resolved[0], "the first trial of the search was not resolved");
    requireValidation(first);
    if (!output.isJson) output.subject(first);
    if (request.isDryRun) {
      if (output.isJson) output.document(searchDocument(request, [], undefined));
      else stdout.write(searchPlanText(request));
      return undefined;
    }
    const runner = new GroupRunner(request.numTrials + 1, { ...session, ...request, isFinal });
    const start = await unsearched(request, suggestion, session);
    const trials = await runTrials(request, runner, session, start, suggest);
    const best = bestOf(trials);
    const tested =
      best === undefined
        ? undefined
        : await runOne(runner, request.numTrials, request.experimentOf(best.settings), session);
    runner.throwIfStopped();
    session.progress.close();
    if (output.isJson) output.document(searchDocument(request, trials, tested));
    else stdout.write(searchText(request, trials, tested, surroundings.terminal.columns));
    return tested?.experiment.failure === undefined && best !== undefined
      ? undefined
      : NONE_SUCCEEDED;
  });
}

/** With the server that data sets and models are sent to. */
type PlacedSession = Session & Pick<SearchRequest, "server">;

/** A trial as passed to the optimiser; one without an outcome still runs. */
interface AskedTrial {
  readonly settings: SearchSettings;
  readonly ended: Trial | undefined;
}

/** The settings of the experiment without a search, or a suggestion where those are impossible. */
async function unsearched(
  { axes, unsearched: member }: SearchRequest,
  suggestion: SearchSettings,
  session: PlacedSession,
): Promise<SearchSettings> {
  // The flags that are not searched need not go with the defaults of those that are.
  const { spec } = await resolved(member, session).catch((thrown: unknown) => {
    if (toFailure(thrown).kind === FailureKind.INVALID) return { spec: undefined };
    throw thrown;
  });
  return new Map(
    axes.map((axis) => {
      const own = spec && textInSpec(axis, spec);
      return [axis.flag, own ?? suggestion.get(axis.flag) ?? ""];
    }),
  );
}

async function runTrials(
  request: SearchRequest,
  runner: GroupRunner,
  session: PlacedSession,
  start: SearchSettings,
  suggest: (trials: readonly AskedTrial[]) => Promise<SearchSettings>,
): Promise<Trial[]> {
  const { numTrials, maxParallel, trialOf } = request;
  const begun: { settings: SearchSettings; trial: Promise<Trial> }[] = [];
  const ended: Trial[] = [];
  try {
    for (let at = 0; at < numTrials; at++) {
      const awaited = begun[at - maxParallel];
      if (awaited !== undefined) ended.push(await awaited.trial);
      runner.throwIfStopped();
      const asked = begun.map(({ settings }, place) => ({ settings, ended: ended[place] }));
      const settings = at === 0 ? start : await suggest(asked);
      const trial = runTrial(runner, at, settings, trialOf(settings), session);
      trial.catch(() => undefined); // its failure is met where it is awaited
      begun.push({ settings, trial });
    }
    return await Promise.all(begun.map(({ trial }) => trial));
  } finally {
    // A stop lasts until every trial has written its checkpoint.
    if (session.stop.aborted) await Promise.allSettled(begun.map(({ trial }) => trial));
  }
}

async function runTrial(
  runner: GroupRunner,
  at: number,
  settings: SearchSettings,
  member: Member,
  session: PlacedSession,
): Promise<Trial> {
  const outcome = await runOne(runner, at, member, session);
  const accuracy = resultOf(outcome.experiment).distillation?.validationAccuracy;
  return { settings, outcome, accuracy };
}

async function runOne(
  runner: GroupRunner,
  at: number,
  member: Member,
  session: PlacedSession,
): Promise<Outcome> {
  return runner.follow(at, member.label, await runner.store(await resolved(member, session)));
}

function resolved(
  { draft }: Member,
  { connection, progress, untilStopped, server }: PlacedSession,
) {
  const resolve = async () => {
    const sent = await requireSent(draft, { connection, progress }, server, false);
    return connection.call((client) => client.resolve(sent));
  };
  return untilStopped(resolve());
}

async function suggested(
  { axes, seed }: SearchRequest,
  trials: readonly AskedTrial[],
  ask: SuggestSettings,
): Promise<SearchSettings> {
  const answer = await ask({
    space: Object.fromEntries(axes.map((axis) => [axis.flag, axisDocument(axis)])),
    trials: trials.map(({ settings, ended }) => ({
      settings: Object.fromEntries(
        axes.map((axis) => [axis.flag, suggestedValue(axis, settings.get(axis.flag) ?? "")]),
      ),
      value: ended?.accuracy ?? null,
      failed: ended !== undefined && ended.accuracy === undefined,
    })),
    seed,
  });
  const values = z.record(z.string(), z.union([z.string(), z.number()])).parse(answer);
  return new Map(axes.map((axis) => [axis.flag, suggestedText(axis, values[axis.flag] ?? "")]));
}

function requireValidation({ spec }: ResolveExperimentResponse): void {
  if (spec?.evaluation?.protocol === Protocol.VALIDATION) return;
  throw invalid(
    "evaluation.protocol",
    "--search chooses by validation accuracy: --protocol (evaluation.protocol) must be validation",
  );
}

/** The same settings diverge again: there is nothing to gain from another try. */
function isFinal({ kind }: Failure): boolean {
  return kind === FailureKind.DIVERGED;
}
