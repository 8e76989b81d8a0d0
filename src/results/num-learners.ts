/** The work of a task, in either form of the message. */
interface LearnersWork {
  readonly kind?:
    | { readonly $case: "distill" }
    | {
        readonly $case: "pretrain";
        readonly value: {
          readonly members: readonly number[];
          readonly initSeeds: readonly number[];
        };
      }
    | {
        readonly $case: "evaluate" | "baseline" | "replay";
        readonly value: { readonly initSeeds: readonly number[] };
      }
    | undefined;
}

/** How many learners a task tests, or trains for a pool. */
export function numLearnersOf(work: LearnersWork | undefined): number {
  const kind = work?.kind;
  if (kind === undefined || kind.$case === "distill") return 0;
  const numMembers = kind.$case === "pretrain" ? kind.value.members.length : 0;
  return numMembers + kind.value.initSeeds.length;
}
