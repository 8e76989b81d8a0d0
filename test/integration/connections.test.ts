import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, type TestContext } from "node:test";
import { StillhouseClient } from "../../src/api/client.js";
import { unary } from "../../src/api/grpc/calls.js";
import { GrpcServer } from "../../src/api/grpc/server.js";
import {
  ListWorkersResponse,
  WorkerServiceService,
} from "../../src/generated/stillhouse/v1/service.js";
import {
  ConnectionLimits,
  connectionsWithin,
  openFileLimit,
} from "../../src/security/connection-limits.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const LOOPBACK = "127.0.0.1";

function idle(test: TestContext, port: number): Socket {
  // A socket notices the end of its connection only while it reads.
  const socket = connect(port, LOOPBACK)
    .on("error", () => undefined)
    .resume();
  test.after(() => socket.destroy());
  return socket;
}

async function serverWith(test: TestContext, connections: ConnectionLimits, firstCallMs: number) {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const none = unary(log, () => ListWorkersResponse.create());
  const methods = { listWorkers: none, drainWorker: none };
  const service = { definition: WorkerServiceService, methods };
  const server = new GrpcServer([service], undefined, { connections, firstCallMs });
  test.after(() => server.stop(0));
  return server.listen(LOOPBACK, 0);
}

describe("connections of a gRPC server", () => {
  it("are limited, and a place is free again when one closes", async (test) => {
    const port = await serverWith(test, new ConnectionLimits(4, 4), 60_000);
    const sockets = [1, 2, 3, 4].map(() => idle(test, port));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    await once(idle(test, port), "close");
    sockets[0]?.destroy();
    const client = new StillhouseClient({ address: `${LOOPBACK}:${port}` });
    test.after(() => client.close());
    // The server may not have noticed yet that one is closed.
    for (let answer: unknown; answer === undefined; ) {
      answer = await client.workers().catch((error: Error) => {
        assert.match(error.message, /^no control plane answers/);
      });
    }
  });

  it("are limited for each address", () => {
    const limits = new ConnectionLimits(10, 2);
    const from = (remoteAddress: string) =>
      limits.admit({ remoteAddress, destroy() {}, once() {} } as unknown as Socket);
    assert.deepEqual(["a", "a", "a", "b"].map(from), [true, true, false, true]);
  });

  it("are told of when few are left, once, and when one is refused", () => {
    const told: string[] = [];
    const limits = new ConnectionLimits(10, 10, {
      nearlyFull: (count, max) => told.push(`${count} of ${max}`),
      refused: (_, why) => told.push(why),
    });
    const ends: (() => void)[] = [];
    const come = () => {
      const once = (_: string, end: () => void) => ends.push(end);
      limits.admit({ remoteAddress: "a", destroy() {}, once } as unknown as Socket);
    };
    for (let count = 0; count < 11; count++) come();
    assert.deepEqual(told.splice(0), ["9 of 10", "all 10 places are taken"]);
    ends.pop()?.();
    come();
    assert.deepEqual(told, []);
    for (const end of ends.splice(0, 4)) end();
    for (let count = 0; count < 4; count++) come();
    assert.deepEqual(told, ["9 of 10"]);
  });

  it("are closed without a call in time, and kept otherwise", async (test) => {
    const port = await serverWith(test, new ConnectionLimits(10, 10), 300);
    const client = new StillhouseClient({ address: `${LOOPBACK}:${port}` });
    test.after(() => client.close());
    await client.workers();
    await once(idle(test, port), "close");
    await client.workers();
  });
});

describe("a process with few open files", () => {
  it("keeps some for itself, however many connections come", () => {
    assert.deepEqual(connectionsWithin(1_024), { clients: 256, workers: 85 });
    assert.deepEqual(connectionsWithin(100), { clients: 16, workers: 16 });
    assert.deepEqual(connectionsWithin(20_000), { clients: 2_000, workers: 5_248 });
    const unlimited = { clients: 2_000, workers: 20_000 };
    assert.deepEqual(connectionsWithin(Number.POSITIVE_INFINITY), unlimited);
    assert.ok(openFileLimit() > 0);
    assert.ok(openFileLimit("/proc/no-such-file") > 0);
  });

  it("serves its clients while both ports have idle connections", async (test) => {
    const plane = await TestPlane.start(test, { http: { port: 0 }, maxOpenFiles: 300 });
    await plane.client.workers();
    for (const address of [plane.plane.address, new URL(plane.plane.httpAddress).host]) {
      const port = Number(address.split(":").at(-1));
      const sockets = Array.from({ length: 40 }, () => idle(test, port));
      const numClosed = { value: 0 };
      const enough = new Promise<void>((resolve) => {
        for (const socket of sockets) {
          socket.once("close", () => {
            numClosed.value++;
            if (numClosed.value >= 40 - 16) resolve();
          });
        }
      });
      await enough;
    }
    assert.deepEqual(await plane.client.workers(), []);
  });
});
