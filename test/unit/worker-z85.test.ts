import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeZ85 } from "../../src/worker/z85.js";

test("Z85 gives the text of its specification", () => {
  const bytes = Buffer.from([0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b]);
  assert.equal(encodeZ85(bytes), "HelloWorld");
  assert.equal(encodeZ85(Buffer.alloc(4, 0xff)), "%nSc0");
  assert.throws(() => encodeZ85(Buffer.alloc(5)), /multiple of 4/);
});
