import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { FailureKind } from "../../src/errors.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

it("a port that is in use is refused in the same words by all three servers", async (test) => {
  const other = createServer().listen(0, "127.0.0.1");
  afterwards(test, () => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  for (const [what, options] of [
    ["gRPC", { grpcPort: port }],
    ["workers", { workerPort: port }],
    ["HTTP", { http: { port } }],
  ] as const) {
    await assert.rejects(TestPlane.start(test, options), {
      kind: FailureKind.CONFLICT,
      message: `the port for ${what}, 127.0.0.1:${port}, is taken; choose another one (0 takes any)`,
    });
  }
});
