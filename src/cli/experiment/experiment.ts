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
import {
  type OpenHome,
  type OpenIdleHome,
  openConnection,
  openToLook,
  requireServer,
} from "../connect/open-connection.js";
import { serverPlaceNote } from "../connect/server-place.js";
import { watchExperiment } from "../connect/watch-experiment.js";
import { EventPresenter } from "../progress/event-presenter.js";
import { aborted, type Interruption } from "../terminal/interruption.js";
import type { Terminal } from "../terminal/terminal.js";
import { writeDatasetDescription } from "./dataset-description.js";
import { type ExperimentRequest, parseExperimentArguments } from "./experiment-arguments.js";
import { ExperimentOutput } from "./experiment-output.js";

export interface ExperimentSurroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly openHome: OpenHome;
  readonly openIdleHome: OpenIdleHome;
  /** Folder that relative paths of the arguments start from. */
  readonly userFolder: string;
  /** Data folder where the arguments name none. */
  readonly dataDir: string | undefined;
  /** Bearer token for a server where the arguments name none. */
  readonly token?: string | undefined;
  /** Whether a defect is shown with its place in the code. */
  readonly showsTraces: boolean;
}

/**
 * The command `experiment`: runs an experiment and shows its result.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export async function runExperiment(
  argv: readonly string[],
  surroundings: ExperimentSurroundings,
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

/** Of the experiments that stay queued, as many are named. */
const MAX_NAMED = 3;

/** Failures whose cause may be gone at the next try; after others the same try fails again. */
const MAY_GO_ON: readonly FailureKind[] = [
  FailureKind.EXHAUSTED,
  FailureKind.WORKER_LOST,
  FailureKind.ENVIRONMENT,
  FailureKind.INTERNAL,
];

type Asked = Exclude<ExperimentRequest, { kind: "help" }>;

/** One run of the command against one control plane after the other, normally just one. */
class ExperimentRun {
  readonly #request: Asked;
  readonly #surroundings: ExperimentSurroundings;
  readonly #output: ExperimentOutput;
  #connection: Connection | undefined;
  experimentId: string | undefined;

  constructor(request: Asked, surroundings: ExperimentSurroundings, output: ExperimentOutput) {
    this.#request = request;
    this.#surroundings = surroundings;
    this.#output = output;
  }

  /** Resolves when the result is shown; rejects when there is none. */
  async finished(): Promise<void> {
    const { kill } = this.#surroundings.interruption;
    const killed = aborted(kill).then(() => {
      this.#connection?.kill();
      throw this.#interrupted();
    });
    await Promise.race([killed, this.#run()]);
  }

  /** For a failure that leaves behind what is done. */
  noteHowToGoOn(): void {
    if (this.experimentId === undefined) return;
    const command = this.#resumeCommand(this.experimentId);
    this.#output.progress.note(`What is done is kept; go on with it: ${command}`);
  }

  async #run(): Promise<void> {
    const connection = await this.#connected();
    this.#connection = connection;
    try {
      if (this.#request.kind === "new") await this.#runNew(connection, this.#request);
      else await this.#runAgain(connection, this.#request);
    } finally {
      this.#output.progress.close();
      await connection.close();
    }
  }

  #connected(): Promise<Connection> {
    const { server, isDetached } = this.#request;
    if (isDetached) return openToLook(server, this.#surroundings.openIdleHome);
    const adopt = this.#request.kind === "resume" ? [this.#request.experimentId] : [];
    const note = (sentence: string) => this.#output.progress.note(sentence);
    return openConnection(server, this.#surroundings.openHome, adopt, note);
  }

  async #runNew(connection: Connection, request: Extract<Asked, { kind: "new" }>): Promise<void> {
    const { draft, isDryRun, isFresh, isDetached, priority } = request;
    this.#noteLeftQueued(connection);
    if (isDetached && !isDryRun) requireServer(connection);
    const resolution = await this.#orStopped(this.#resolve(connection, draft));
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
    else await this.#follow(connection, id, false);
  }

  /** It goes on without this process. */
  #leave(id: string): void {
    const { isJson, progress } = this.#output;
    if (isJson) this.#output.document({ experiment_id: id });
    else this.#surroundings.terminal.stdout.write(`${id}\n`);
    const server = this.#request.server === undefined ? "" : ` ${this.#request.server.flags}`;
    progress.note(`Watch it: npm run stillhouse -- watch ${id}${server}`);
  }

  #resolve(connection: Connection, draft: ExperimentSpec): Promise<ResolveExperimentResponse> {
    const { progress } = this.#output;
    progress.note("Looking at the data set, the model and the device");
    const place = serverPlaceNote(draft, this.#request.server);
    if (place !== undefined) progress.note(place);
    return connection.call((client) => client.resolve(draft));
  }

  async #runAgain(
    connection: Connection,
    { experimentId, isDetached }: Extract<Asked, { kind: "resume" }>,
  ): Promise<void> {
    if (isDetached) requireServer(connection);
    const { experiment } = await connection.call((client) => client.get(experimentId));
    this.#output.resumed(experiment);
    if (experiment.state !== State.SUCCEEDED) {
      await connection.call((client) => client.resume(experimentId));
    }
    if (isDetached) this.#leave(experimentId);
    else await this.#follow(connection, experimentId, true);
  }

  async #follow(connection: Connection, id: string, skipsHistory: boolean): Promise<void> {
    this.experimentId = id;
    connection.adopt(id);
    const { stop } = this.#surroundings.interruption;
    const stopped = aborted(stop).then(() => this.#cancel(connection, id));
    stopped.catch(() => undefined); // the end of the watch tells what became of it
    const isStopping = () => stop.aborted;
    const presenter = new EventPresenter(this.#output.progress);
    const watched = { connection, experimentId: id, skipsHistory, isStopping };
    for await (const event of watchExperiment(watched)) presenter.show(event);
    await this.#conclude(connection, id);
  }

  async #cancel(connection: Connection, id: string): Promise<void> {
    this.#output.progress.note(
      "Stopping after a checkpoint; press Ctrl-C once more to end at once",
    );
    await connection.call((client) => client.cancel(id));
  }

  async #conclude(connection: Connection, id: string): Promise<void> {
    const { experiment, artifactPath } = await connection.call((client) => client.get(id));
    this.#output.progress.close();
    if (experiment?.state === State.SUCCEEDED) {
      this.#output.result(experiment, artifactPath);
      return;
    }
    if (experiment?.state === State.CANCELLED) throw this.#interrupted();
    throw this.#failed(experiment);
  }

  #noteLeftQueued({ leftQueued }: Connection): void {
    const [first] = leftQueued;
    if (first === undefined) return;
    const ids = leftQueued.slice(0, MAX_NAMED).join(", ");
    const which = leftQueued.length > MAX_NAMED ? `${ids}, …` : ids;
    const what = leftQueued.length === 1 ? "experiment stays" : "experiments stay";
    this.#output.progress.note(
      `${leftQueued.length} unfinished ${what} queued (${which}); go on with one: ` +
        `${this.#resumeCommand(first)}; with all: npm run serve`,
    );
  }

  /** What is asked for before the experiment is stored can just be dropped. */
  async #orStopped<T>(pending: Promise<T>): Promise<T> {
    const stopped = aborted(this.#surroundings.interruption.stop).then(() => {
      throw this.#interrupted();
    });
    return Promise.race([pending, stopped]);
  }

  #interrupted(): StillhouseError {
    const { experimentId } = this;
    const message =
      experimentId === undefined
        ? "interrupted before the experiment began"
        : `experiment ${experimentId} was stopped; go on with it: ${this.#resumeCommand(experimentId)}`;
    return cancelled(message);
  }

  #failed(experiment: Experiment | undefined): StillhouseError {
    const fault = `experiment ${experiment?.id} failed, and the server returned no failure`;
    return fromFailure(present(experiment?.failure, fault));
  }

  #resumeCommand(id: string): string {
    const server = this.#request.server === undefined ? "" : ` ${this.#request.server.flags}`;
    return `npm run experiment -- --resume ${id}${server}`;
  }
}
