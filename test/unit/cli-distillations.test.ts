import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReproduceArguments } from "../../src/cli/reproduce/reproduce-arguments.js";

function seedsOf(argv: readonly string[]): readonly number[] {
  const request = parseReproduceArguments(argv, {
    userFolder: "/",
    dataDir: undefined,
    columns: 80,
  });
  assert.equal(request.kind, "run");
  return request.seeds;
}

describe("reproduce --distillations", () => {
  it("is short for the seeds from 0 on", () => {
    assert.deepEqual(seedsOf([]), [0]);
    assert.deepEqual(seedsOf(["--distillations", "1"]), [0]);
    assert.deepEqual(seedsOf(["--distillations", "3"]), seedsOf(["--seeds", "0,1,2"]));
  });

  it("refuses an invalid number of distillations, and --seeds beside it", () => {
    for (const wrong of ["0", "-1", "1.5", "two", "", "1001"]) {
      assert.throws(
        () => seedsOf([`--distillations=${wrong}`]),
        new RegExp(`from 1 to 1000, got "${wrong}"`),
      );
    }
    assert.throws(
      () => seedsOf(["--distillations", "2", "--seeds", "0,1"]),
      /--distillations takes the seeds from 0 on, and --seeds names them; give one of the two/,
    );
  });
});
