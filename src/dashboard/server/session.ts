import { computed, signal } from "@preact/signals";

export type Role = "read" | "submit" | "admin";

export interface Identity {
  readonly name: string;
  readonly role: Role;
  readonly authentication: "none" | "session" | "token";
}

const KEY = "stillhouse.token";

/** Kept as long as the tab is open, so that the next person at this browser does not have it. */
export const token = signal(sessionStorage.getItem(KEY) ?? "");

export const identity = signal<Identity | undefined>(undefined);

/** The server refused a call because it had no valid token. */
export const needsToken = signal(false);

export const isAllowed = {
  /** To create, cancel and resume experiments. */
  submit: computed(() => identity.value?.role !== "read"),
  /** To drain workers and to delete what others created. */
  administer: computed(() => identity.value?.role === "admin" || identity.value === undefined),
};

export function keepToken(value: string): void {
  token.value = value;
  if (value === "") sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}
