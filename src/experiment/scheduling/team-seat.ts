/** The place of a worker in a team that shares a task. */
export interface TeamPlace {
  readonly taskId: string;
  /** From 0 on; 0 leads. */
  readonly rank: number;
  readonly size: number;
}

/** Of the lease of a worker; its leader has the task itself. */
export function seatId(taskId: string, rank: number): string {
  return rank === 0 ? taskId : `${taskId}.${rank}`;
}

/** What a lease says of the worker of this rank; one that has the task alone is in no team. */
export function seatAt(taskId: string, rank: number, size: number): Leased {
  return { taskId: seatId(taskId, rank), team: size > 1 ? { taskId, rank, size } : undefined };
}

/** The task and the rank of what `seatId` named; the names of tasks have no dots. */
export function seatNamed(id: string): Pick<TeamPlace, "taskId" | "rank"> {
  const [, taskId = id, rank = "0"] = /^(.+)\.([1-9][0-9]{0,4})$/.exec(id) ?? [];
  return { taskId, rank: Number(rank) };
}

/** The part of a lease that says of which task it is. */
interface Leased {
  readonly taskId: string;
  readonly team?: TeamPlace | undefined;
}

/** The task that a lease is about, which for a member of a team is not what the lease is named by. */
export function taskOf({ taskId, team }: Leased): string {
  return team?.taskId ?? taskId;
}

/** Whether another worker leads. */
export function isMember({ team }: Leased): boolean {
  return team !== undefined && team.rank > 0;
}
