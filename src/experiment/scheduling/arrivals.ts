import type { Event } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentRecord } from "../domain/record.js";
import type { Change, ExperimentStore } from "../domain/storage-ports.js";
import type { Turns } from "../domain/turns.js";

/** An experiment of a sweep that is being stored. */
export interface Arrived {
  readonly record: ExperimentRecord;
  readonly events: readonly Event[];
}

/** Stores the experiments of sweeps one by one, and hides them until all are stored. */
export class Arrivals {
  readonly #store: Pick<ExperimentStore, "create" | "remove">;
  readonly #ids = new Set<string>();

  constructor(store: Pick<ExperimentStore, "create" | "remove">) {
    this.#store = store;
  }

  /** Whether it belongs to a sweep that is not completely stored. */
  has(experimentId: string): boolean {
    return this.#ids.has(experimentId);
  }

  /** From now on it is visible. */
  admit(experimentId: string): void {
    this.#ids.delete(experimentId);
  }

  /**
   * Stores all, or none.
   *
   * @param creations made one by one, as they are needed
   * @param complete stores the sweep
   */
  async store(
    creations: Iterable<Change>,
    complete: () => void,
    turns: Turns,
  ): Promise<readonly Arrived[]> {
    const arrived: Arrived[] = [];
    try {
      for (const creation of creations) {
        const { record } = creation;
        this.#ids.add(record.experiment.id);
        arrived.push({ record, events: this.#store.create(creation, "") });
        await turns.next();
      }
      complete();
      return arrived;
    } catch (error) {
      this.#remove(arrived.map(({ record }) => record.experiment.id));
      throw error;
    }
  }

  /** What cannot be removed at present stays out of sight until the next start removes it. */
  #remove(ids: readonly string[]): void {
    try {
      for (const id of ids) {
        this.#store.remove(id);
        this.#ids.delete(id);
      }
    } catch {
      // The caller gets the reason why they could not all be stored.
    }
  }
}
