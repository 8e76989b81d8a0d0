import type { DistillWork, ReplayWork, Task } from "../../generated/stillhouse/v1/experiment.js";
import {
  type ExperimentSpec,
  ReplayMethod,
  type ReplaySpec,
} from "../../generated/stillhouse/v1/spec.js";
import { replayMethodWord } from "../../results/replay-names.js";
import { initSeeds } from "./init-seeds.js";
import { numShards, shardsOf } from "./shards.js";

/** Work of continual learning, with the end of the id of its task. */
type Planned =
  | { readonly name: string; readonly kind: { $case: "distill"; value: DistillWork } }
  | { readonly name: string; readonly kind: { $case: "replay"; value: ReplayWork } };

/**
 * The tasks of continual learning: the memories of all tasks but the last, whose memory nobody
 * needs, of every seed, then the learners of each method and seed in shards.
 *
 * @param spec resolved, with `replay`
 */
export function replayWork(spec: ExperimentSpec, replay: ReplaySpec): Planned[] {
  const memories = distills(replay)
    ? replay.seeds.flatMap((seed, of) =>
        replay.tasks.slice(0, -1).map((part, at): Planned => {
          const kind = { $case: "distill" as const, value: { part, seed } };
          return { name: `distill-${of + 1}-${at + 1}`, kind };
        }),
      )
    : [];
  return [...memories, ...replay.methods.flatMap((method) => ofMethod(spec, replay, method))];
}

function ofMethod(spec: ExperimentSpec, { seeds }: ReplaySpec, method: ReplayMethod): Planned[] {
  const word = replayMethodWord(method);
  return seeds.flatMap((seed, of) => {
    const shards = shardsOf(initSeeds(seed, spec.evaluation?.inits ?? 0));
    return shards.map((own, at): Planned => {
      const shard = shards.length > 1 ? `-${at + 1}` : "";
      const value = { method, seed, initSeeds: own };
      return { name: `replay-${word}-${of + 1}${shard}`, kind: { $case: "replay", value } };
    });
  });
}

/** How many there are, without making them. */
export function numReplayTasks(spec: ExperimentSpec, replay: ReplaySpec): number {
  const { seeds, tasks, methods } = replay;
  const memories = distills(replay) ? tasks.length - 1 : 0;
  return seeds.length * (memories + methods.length * numShards(spec.evaluation?.inits ?? 0));
}

function distills({ methods }: ReplaySpec): boolean {
  return methods.includes(ReplayMethod.DISTILLED);
}

/** Those of an experiment's tasks that distil the memories of a task, in the order of its tasks. */
export function memoryTasksOf<Entry extends { readonly task: Task }>(
  task: Task,
  entries: readonly Entry[],
): Entry[] {
  const kind = task.work?.kind;
  if (kind?.$case !== "replay" || kind.value.method !== ReplayMethod.DISTILLED) return [];
  return entries.filter((entry) => {
    const work = entry.task.work?.kind;
    return work?.$case === "distill" && work.value.part && work.value.seed === kind.value.seed;
  });
}
