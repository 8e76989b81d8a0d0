import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** Tag of the field `tasks`, of number 5 and a message each. */
const TASKS = (5 << 3) | 2;

/**
 * The bytes of an `Experiment`, from those of one without tasks and of its tasks. Reading them and
 * encoding them again takes many times as long as fetching them.
 */
export function experimentBytes(experiment: Uint8Array, tasks: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter().raw(experiment);
  for (const task of tasks) writer.uint32(TASKS).bytes(task);
  return writer.finish();
}
