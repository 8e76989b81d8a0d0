import { describe, it } from "node:test";
import { TARGETS } from "../fuzz/targets.js";

/** `npm run fuzz` has the long form. */
const SHORT = { cases: 150, seed: 7 };

describe("malformed input", { timeout: 60_000 }, () => {
  for (const [name, target] of Object.entries(TARGETS)) {
    it(`is borne by what takes ${name}`, () => target(SHORT));
  }
});
