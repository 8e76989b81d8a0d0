/** What a token lets its bearer do; each includes the ones before it. */
export const LADDER = ["read", "submit", "admin"] as const;

/** A worker stands beside the ladder: it fetches and hands in artifacts and does nothing else. */
export const ROLES = [...LADDER, "worker"] as const;

export type Rung = (typeof LADDER)[number];
export type Role = (typeof ROLES)[number];

/** Whether the role is this rung of the ladder or a higher one. */
export function reaches(role: Role, rung: Rung): boolean {
  return role !== "worker" && LADDER.indexOf(role) >= LADDER.indexOf(rung);
}
