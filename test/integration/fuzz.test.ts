import { describe } from "node:test";
import { it } from "../fixtures/waiting.js";
import { TARGETS } from "../fuzz/targets.js";

/** `npm run fuzz` has the long form. */
const SHORT = { cases: 150, seed: 7 };
/** After each of their cases a task of another is done from its creation to its result. */
const WITH_TASKS = { ...SHORT, cases: 40 };
const EXTENTS: Readonly<Record<string, typeof SHORT>> = { grpc: WITH_TASKS, zeromq: WITH_TASKS };

describe("malformed input", () => {
  for (const [name, target] of Object.entries(TARGETS)) {
    it(`is borne by what takes ${name}`, () => target(EXTENTS[name] ?? SHORT));
  }
});
