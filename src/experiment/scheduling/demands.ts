import { deviceKind } from "./device-needs.js";
import { type ReadyTask, roundedMemoryBytes } from "./ready-task.js";
import type { Demand } from "./wanted-launches.js";

/** How many tasks are ready, by what they need; tasks with about the same memory count as alike. */
export class Demands {
  readonly #byKind = new Map<string, Map<string, Demand>>();
  readonly #numByKind = new Map<string, number>();

  add(task: ReadyTask): void {
    this.#count(task, 1);
  }

  remove(task: ReadyTask): void {
    this.#count(task, -1);
  }

  /** Number of tasks for each kind of device. */
  byKind(): ReadonlyMap<string, number> {
    return this.#numByKind;
  }

  /** For a kind of device, whichever of them a task names. */
  of(kind: string): Demand[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])];
  }

  #count(task: ReadyTask, change: 1 | -1): void {
    const kind = deviceKind(task.device);
    const { numDevices } = task;
    const memoryBytes = roundedMemoryBytes(task);
    this.#numByKind.set(kind, (this.#numByKind.get(kind) ?? 0) + change);
    const ofKind = this.#byKind.get(kind) ?? new Map<string, Demand>();
    this.#byKind.set(kind, ofKind);
    const key = `${numDevices} ${memoryBytes}`;
    const count = (ofKind.get(key)?.count ?? 0) + change;
    if (count === 0) ofKind.delete(key);
    else ofKind.set(key, { device: kind, numDevices, memoryBytes, count });
  }
}
