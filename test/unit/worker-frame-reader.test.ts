import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FrameReader } from "../../src/worker/door/frame-reader.js";

const GREETING = Buffer.concat([
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]),
  Buffer.alloc(52),
]);
const SHORT = Buffer.from([0, 3, 1, 2, 3]);
const LONG = Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 1, 44]), Buffer.alloc(300)]);
const EMPTY_COMMAND = Buffer.from([4, 0]);

/** What is read when the bytes come in parts of a length. */
function framesIn(bytes: Buffer, partBytes: number) {
  const begun: object[] = [];
  const ended: object[] = [];
  const reader = new FrameReader({
    begins: (frame) => begun.push(frame),
    ends: (frame) => ended.push(frame),
  });
  let isZmtp = true;
  for (let at = 0; at < bytes.length && isZmtp; at += partBytes) {
    isZmtp = reader.read(bytes.subarray(at, at + partBytes));
  }
  return { begun, ended, isZmtp };
}

describe("the reader of ZMTP frames", () => {
  test("finds the same frames however the bytes are cut", () => {
    const bytes = Buffer.concat([GREETING, SHORT, LONG, EMPTY_COMMAND, SHORT]);
    const short = { size: 3, isCommand: false, hasMore: false };
    const long = { size: 300, isCommand: false, hasMore: true };
    const command = { size: 0, isCommand: true, hasMore: false };
    const expected = [short, long, command, short];
    for (const partBytes of [1, 2, 7, 64, 65, bytes.length]) {
      const read = framesIn(bytes, partBytes);
      assert.deepEqual(read, { begun: expected, ended: expected, isZmtp: true });
    }
  });

  test("reports a frame as soon as it begins, before its bytes arrive", () => {
    const { begun, ended } = framesIn(Buffer.concat([GREETING, LONG.subarray(0, 9)]), 100);
    assert.deepEqual([begun.length, ended.length], [1, 0]);
  });

  test("accepts no other protocol, and no earlier version", () => {
    const older = Buffer.from(GREETING);
    older[10] = 1;
    for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n"), Buffer.from([1, 0]), older]) {
      assert.equal(framesIn(bytes, 100).isZmtp, false);
    }
  });
});
