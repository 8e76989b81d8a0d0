import { randomUUID } from "node:crypto";
import {
  cancelled,
  FailureKind,
  fromFailure,
  present,
  type StillhouseError,
  SURFACES,
  toFailure,
} from "../../errors.js";
import { type Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import type { ResolveExperimentResponse } from "../../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { Connection } from "../connect/connection.js";
import { requireServer } from "../connect/open-connection.js";
import { serverPlaceNote } from "../connect/server-place.js";
import type { GroupSurroundings } from "../group/group-command.js";
import { EventPresenter } from "../progress/event-presenter.js";
import { ExperimentOutput } from "../run/experiment-output.js";
import { ExperimentRunner, type Outcome } from "../run/experiment-runner.js";
import { emptyFolder, exportToFolder } from "../run/export-folder.js";
import { sentDraft } from "../run/sent-draft.js";
import { type Session, withSession } from "../run/session.js";
import { writeDatasetDescription } from "./dataset-description.js";
import { runDistillations } from "./distillations.js";
import { type ExperimentRequest, parseExperimentArguments } from "./experiment-arguments.js";

/**
 * The command `experiment`: runs an experiment and shows its result.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export async function runExperiment(
  argv: readonly string[],
  surroundings: GroupSurroundings,
): Promise<number> {
  const output = new ExperimentOutput(surroundings.terminal, argv.includes("--json"));
  let run: ExperimentRun | undefined;
  try {
    const request = parseExperimentArguments(argv, {
      ...surroundings,
      columns: surroundings.terminal.columns,
    });
    if (request.kind === "help") {
      output.help(request.text);
      return 0;
    }
    if (request.kind === "new" && request.seeds.length > 1) {
      return await runDistillations(request, surroundings, output);
    }
    run = new ExperimentRun(request, surroundings, output);
    await run.finished();
    return 0;
  } catch (thrown) {
    const error = fromFailure(toFailure(thrown));
    output.progress.close();
    output.failure(error, run?.experimentId, surroundings.showsTraces);
    if (MAY_GO_ON.includes(error.kind)) run?.noteHowToGoOn();
    return SURFACES[error.kind].exitCode;
  }
}

const EXPORT_FLAG = "--export";

/** How many of the experiments that stay queued are named. */
const MAX_NAMED = 3;

/** Failures whose cause may have passed at the next attempt; others would only occur again. */
const MAY_GO_ON: readonly FailureKind[] = [
  FailureKind.EXHAUSTED,
  FailureKind.WORKER_LOST,
  FailureKind.ENVIRONMENT,
  FailureKind.INTERNAL,
];

type Asked = Exclude<ExperimentRequest, { kind: "help" }>;

/** One run of the command, against one control plane or several after each other. */
class ExperimentRun {
  readonly #request: Asked;
  readonly #surroundings: GroupSurroundings;
  readonly #output: ExperimentOutput;
  experimentId: string | undefined;

  constructor(request: Asked, surroundings: GroupSurroundings, output: ExperimentOutput) {
    this.#request = request;
    this.#surroundings = surroundings;
    this.#output = output;
  }

  /** Resolves when the result is shown; rejects when there is none. */
  async finished(): Promise<void> {
    const { server, isDetached, exportFolder } = this.#request;
    if (exportFolder !== undefined) emptyFolder(exportFolder, EXPORT_FLAG);
    const adopt = this.#request.kind === "resume" ? [this.#request.experimentId] : [];
    await withSession(
      { server, isDetached, adopt },
      this.#surroundings,
      this.#output.progress,
      () => this.#interrupted(),
      (session) =>
        this.#request.kind === "new"
          ? this.#runNew(session, this.#request)
          : this.#runAgain(session, this.#request),
    );
  }

  /** For a failure that leaves behind what is done. */
  noteHowToGoOn(): void {
    if (this.experimentId === undefined) return;
    const command = this.#resumeCommand(this.experimentId);
    this.#output.progress.note(`Finished work is kept; continue it: ${command}`);
  }

  async #runNew(session: Session, request: Extract<Asked, { kind: "new" }>): Promise<void> {
    const { connection } = session;
    const { draft, isDryRun, isFresh, isDetached, priority } = request;
    this.#noteLeftQueued(connection);
    if (isDetached && !isDryRun) requireServer(connection);
    const sending = sentDraft(draft, session, this.#request.server, isDryRun);
    const sent = await session.untilStopped(sending);
    if (sent.kind === "missing") {
      this.#output.wouldSend(sent.folders);
      return;
    }
    const resolution = await session.untilStopped(this.#resolve(connection, sent.draft));
    this.#output.resolved(resolution, isDetached && !isDryRun);
    const spec = present(resolution.spec, "the server resolved a draft and returned no spec");
    if (request.writesDescription) {
      this.#output.progress.note(`Wrote ${writeDatasetDescription(spec)}`);
    }
    if (isDryRun) {
      this.#output.plan(resolution);
      return;
    }
    const requestId = randomUUID();
    const reuseAfter = isFresh ? new Date() : undefined;
    const { id } = await connection.call((client) =>
      client.create(spec, requestId, reuseAfter, { priority }),
    );
    this.#output.progress.note(`Experiment ${id}`);
    if (isDetached) this.#leave(id);
    else await this.#follow(session, id, false);
  }

  /** It continues without this process. */
  #leave(id: string): void {
    const { isJson, progress } = this.#output;
    if (isJson) this.#output.document({ experiment_id: id });
    else this.#surroundings.terminal.stdout.write(`${id}\n`);
    const server = this.#request.server === undefined ? "" : ` ${this.#request.server.flags}`;
    progress.note(`Watch it: npm run stillhouse -- watch ${id}${server}`);
  }

  #resolve(connection: Connection, draft: ExperimentSpec): Promise<ResolveExperimentResponse> {
    const { progress } = this.#output;
    progress.note("Checking the data set, the model and the device");
    const place = serverPlaceNote(draft, this.#request.server);
    if (place !== undefined) progress.note(place);
    return connection.call((client) => client.resolve(draft));
  }

  async #runAgain(
    session: Session,
    { experimentId, isDetached }: Extract<Asked, { kind: "resume" }>,
  ): Promise<void> {
    const { connection } = session;
    if (isDetached) requireServer(connection);
    const { experiment } = await connection.call((client) => client.get(experimentId));
    this.#output.resumed(experiment);
    if (experiment.state !== State.SUCCEEDED) {
      await connection.call((client) => client.resume(experimentId));
    }
    if (isDetached) this.#leave(experimentId);
    else await this.#follow(session, experimentId, true);
  }

  async #follow(session: Session, id: string, skipsHistory: boolean): Promise<void> {
    this.experimentId = id;
    const runner = new ExperimentRunner(session);
    runner.take([id]);
    const presenter = new EventPresenter(this.#output.progress);
    const outcome = await runner.follow(id, (event) => presenter.show(event), skipsHistory);
    this.#output.progress.close();
    const { experiment, artifactPath } = outcome;
    if (experiment.state === State.CANCELLED) throw this.#interrupted();
    if (experiment.state !== State.SUCCEEDED) throw this.#failed(experiment);
    await this.#export(session.connection, outcome);
    this.#output.result(experiment, artifactPath);
  }

  /** Before the result is shown, which is the last thing that a person reads. */
  async #export(connection: Connection, outcome: Outcome): Promise<void> {
    const { exportFolder } = this.#request;
    if (exportFolder === undefined) return;
    await exportToFolder(connection, outcome, emptyFolder(exportFolder, EXPORT_FLAG));
    this.#output.progress.note(
      `Exported to ${exportFolder}; anyone verifies it with: npm run verify -- FOLDER`,
    );
  }

  #noteLeftQueued({ leftQueued }: Connection): void {
    const [first] = leftQueued;
    if (first === undefined) return;
    const ids = leftQueued.slice(0, MAX_NAMED).join(", ");
    const which = leftQueued.length > MAX_NAMED ? `${ids}, …` : ids;
    const what = leftQueued.length === 1 ? "experiment stays" : "experiments stay";
    this.#output.progress.note(
      `${leftQueued.length} unfinished ${what} queued (${which}); continue one: ` +
        `${this.#resumeCommand(first)}; all of them: npm run serve`,
    );
  }

  #interrupted(): StillhouseError {
    const { experimentId } = this;
    const message =
      experimentId === undefined
        ? "interrupted before the experiment began"
        : `experiment ${experimentId} was stopped; continue it: ${this.#resumeCommand(experimentId)}`;
    return cancelled(message);
  }

  #failed(experiment: Experiment): StillhouseError {
    const fault = `experiment ${experiment.id} failed, and the server returned no failure`;
    return fromFailure(present(experiment.failure, fault));
  }

  #resumeCommand(id: string): string {
    const server = this.#request.server === undefined ? "" : ` ${this.#request.server.flags}`;
    return `npm run experiment -- --resume ${id}${server}`;
  }
}
