/** Enough learners that opening the data set and the encoder is a small part of a shard. */
const SHARD_SIZE = 10;

/** How many parts an evaluation of this many learners has; 0 for 0. */
export function numShards(numLearners: number): number {
  return numLearners === 0 ? 0 : Math.max(1, Math.floor(numLearners / SHARD_SIZE));
}

/**
 * Parts of an evaluation that different workers can run.
 *
 * All but the last have `SHARD_SIZE` seeds, and the last has fewer than twice as many; so a longer
 * list has the full shards of a shorter one, and takes their results.
 *
 * @param initSeeds seeds of the test learners
 */
export function shardsOf(initSeeds: readonly number[]): number[][] {
  const count = numShards(initSeeds.length);
  return Array.from({ length: count }, (_, at) =>
    initSeeds.slice(at * SHARD_SIZE, at === count - 1 ? undefined : (at + 1) * SHARD_SIZE),
  );
}
