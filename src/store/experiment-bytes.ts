import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** Wire tag of the field `tasks`: number 5, with a message per entry. */
const TASKS = (5 << 3) | 2;

/**
 * The bytes of an `Experiment`, made from those of the experiment without tasks and those of its
 * tasks. Decoding and encoding them again would take many times as long as fetching them.
 */
export function experimentBytes(experiment: Uint8Array, tasks: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter().raw(experiment);
  for (const task of tasks) writer.uint32(TASKS).bytes(task);
  return writer.finish();
}
