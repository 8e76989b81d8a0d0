import type { Role } from "./role.js";

/** Who calls. */
export interface Identity {
  /** Name of the token; empty where none was needed. */
  readonly name: string;
  readonly role: Role;
  readonly authentication: "none" | "token";
}

/** Whoever calls where there are no tokens: the machine is theirs. */
export const UNNAMED: Identity = { name: "", role: "admin", authentication: "none" };
