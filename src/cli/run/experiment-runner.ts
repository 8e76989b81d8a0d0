import { type Event, type Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import { isEnded, watchExperiment } from "../connect/watch-experiment.js";
import { aborted } from "../terminal/interruption.js";
import type { Session } from "./session.js";

/** An experiment that has ended, in whatever way. */
export interface Outcome {
  readonly experiment: Experiment;
  /** Empty where nothing was distilled. */
  readonly artifactPath: string;
}

/** Follows stored experiments, one or many, to their ends, and stops them when the person does. */
export class ExperimentRunner {
  readonly #session: Omit<Session, "untilStopped">;
  readonly #unfinished = new Set<string>();

  constructor(session: Omit<Session, "untilStopped">) {
    const { progress, stop } = session;
    this.#session = session;
    aborted(stop).then(() => {
      progress.note("Stopping after a checkpoint; press Ctrl-C once more to end at once");
      for (const id of this.#unfinished) this.#cancel(id);
    });
  }

  /** Adds them to this run: they continue when it takes over, and stop when it stops. */
  take(ids: readonly string[]): void {
    const { connection, stop } = this.#session;
    for (const id of ids) {
      connection.adopt(id);
      this.#unfinished.add(id);
      if (stop.aborted) this.#cancel(id);
    }
  }

  /** Resumes an experiment that was stopped or has failed, where `mayGoOn` allows it. */
  async resume(id: string, mayGoOn: (experiment: Experiment) => boolean): Promise<void> {
    const { connection, stop } = this.#session;
    if (stop.aborted) return;
    const { experiment } = await this.outcomeOf(id);
    const isStopped = experiment.state === State.CANCELLED || experiment.state === State.FAILED;
    if (isStopped && mayGoOn(experiment)) await connection.call((client) => client.resume(id));
  }

  /**
   * Waits for the end of one that was taken.
   *
   * @param show gets its events
   * @param skipsHistory whether it gets only those from now on
   */
  async follow(id: string, show: (event: Event) => void, skipsHistory: boolean): Promise<Outcome> {
    const { connection, stop } = this.#session;
    const isStopping = () => stop.aborted;
    const watched = { connection, experimentId: id, skipsHistory, isStopping };
    for await (const event of watchExperiment(watched)) show(event);
    this.#unfinished.delete(id);
    return this.outcomeOf(id);
  }

  /** As `follow`, without events of one that has ended already. */
  async followOnwards(id: string, show: (event: Event) => void): Promise<Outcome> {
    const before = await this.outcomeOf(id);
    if (!isEnded(before.experiment.state)) return this.follow(id, show, true);
    this.#unfinished.delete(id);
    return before;
  }

  outcomeOf(id: string): Promise<Outcome> {
    return this.#session.connection.call((client) => client.get(id));
  }

  /** Errors are ignored, since the end of the watch shows the outcome. */
  #cancel(id: string): void {
    this.#session.connection.call((client) => client.cancel(id)).catch(() => {});
  }
}
