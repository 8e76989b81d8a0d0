import type { RosterEntry } from "./roster.js";

/** A device of a host, which several workers may share. */
export interface Place {
  /** The id of the machine, or the name of the host of a worker that tells none. */
  readonly machine: string;
  /** As a worker of the machine calls it, such as "cpu" or "cuda:0". */
  readonly device: string;
  /** What tells it from every other device, whatever its workers call it; empty: its name. */
  readonly id?: string;
}

/** The device of a worker; before its hello, that of a machine without a name. */
export function placeOf(entry: RosterEntry): Place {
  return placeNamed(entry, entry.hello?.device ?? entry.device);
}

/** The device that a worker calls by this name. */
export function placeNamed({ hello }: Pick<RosterEntry, "hello">, device: string): Place {
  const machine = hello?.machineId || hello?.host || "";
  return { machine, device, id: hello?.deviceIds[device] ?? "" };
}
