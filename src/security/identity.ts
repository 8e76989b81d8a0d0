import type { Role } from "./role.js";

/** The caller. */
export interface Identity {
  /** Name of the token; empty where none was needed. */
  readonly name: string;
  readonly role: Role;
  /** "session": by a token of this process, which only this machine's own user can read. */
  readonly authentication: "none" | "session" | "token";
}

/** Every caller of a control plane without tokens, which only serves its own machine. */
export const UNNAMED: Identity = { name: "", role: "admin", authentication: "none" };
