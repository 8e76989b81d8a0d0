/** The methods of continual learning by their names in the protos, in the order in which they are shown. */
const METHODS: ReadonlyMap<string, readonly [word: string, label: string]> = new Map([
  ["REPLAY_METHOD_NAIVE", ["naive", "No memory"]],
  ["REPLAY_METHOD_SIMPLE", ["simple", "Random real samples"]],
  ["REPLAY_METHOD_DISTILLED", ["distilled", "Distilled samples"]],
  ["REPLAY_METHOD_JOINT", ["joint", "All data"]],
]);

/** The word for `--methods`, which is also the id of the method's row. */
export function replayMethodWord(method: string): string {
  return METHODS.get(method)?.[0] ?? "unknown";
}

/** What a method remembers, as the name of its row. */
export function replayMethodLabel(method: string): string {
  return METHODS.get(method)?.[1] ?? method;
}
