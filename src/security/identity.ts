import type { Role } from "./role.js";

/** Who calls. */
export interface Identity {
  /** Name of the token; empty where none was needed. */
  readonly name: string;
  readonly role: Role;
  /** "session": by a token of this process, which only this machine's own user can read. */
  readonly authentication: "none" | "session" | "token";
}

/** Whoever calls where there are no tokens: the machine is theirs. */
export const UNNAMED: Identity = { name: "", role: "admin", authentication: "none" };
