/** What a token lets its bearer do; each includes the ones before it. */
export const LADDER = ["read", "submit", "admin"] as const;

/** The role worker is not part of this order: it only fetches and uploads artifacts. */
export const ROLES = [...LADDER, "worker"] as const;

export type Rung = (typeof LADDER)[number];
export type Role = (typeof ROLES)[number];

/** Whether the role is this one or includes it. */
export function reaches(role: Role, rung: Rung): boolean {
  return role !== "worker" && LADDER.indexOf(role) >= LADDER.indexOf(rung);
}
