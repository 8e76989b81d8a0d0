import { createHash } from "node:crypto";

/**
 * Seeds of test learners, distinct uint32.
 *
 * Seed i is the first four bytes (big-endian) of SHA-256("stillhouse/init-seed/SEED/i"), where an
 * i whose value came before, or equals SEED itself, is skipped. So a longer list begins with the
 * shorter one, all tasks of an experiment test on the same learners, and none is a stream of the
 * distillation, whose generators hash SEED with other texts.
 *
 * @param seed seed of the experiment, uint32
 * @param count how many, >= 0
 */
export function initSeeds(seed: number, count: number): number[] {
  const seeds = new Set<number>([seed]);
  for (let index = 0; seeds.size <= count; index++) {
    const digest = createHash("sha256").update(`stillhouse/init-seed/${seed}/${index}`).digest();
    seeds.add(digest.readUInt32BE(0));
  }
  return [...seeds].slice(1);
}
