import { describe } from "node:test";
import { it } from "../fixtures/waiting.js";
import { TARGETS } from "../fuzz/targets.js";

/** `npm run fuzz` runs more cases. */
const SHORT = { cases: 100, seed: 7 };
/** After each case of these targets another worker does a whole task. */
const WITH_TASKS = { ...SHORT, cases: 25 };
const EXTENTS: Readonly<Record<string, typeof SHORT>> = { grpc: WITH_TASKS, zeromq: WITH_TASKS };

describe("malformed input", () => {
  for (const [name, target] of Object.entries(TARGETS)) {
    it(`never breaks what reads ${name}`, () => target(EXTENTS[name] ?? SHORT));
  }
});
