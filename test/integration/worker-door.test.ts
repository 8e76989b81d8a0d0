import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { describe, type TestContext } from "node:test";
import { curveKeyPair, Dealer } from "zeromq";
import type { WorkerListener } from "../../src/experiment/domain/worker-ports.js";
import { type Hello, Welcome } from "../../src/generated/stillhouse/v1/worker.js";
import { ConnectionLimits } from "../../src/security/connection-limits.js";
import { HeldBytes } from "../../src/worker/door/held-bytes.js";
import type { WorkerDoorOptions } from "../../src/worker/door/worker-door.js";
import { WorkerDoor } from "../../src/worker/door/worker-door.js";
import { WorkerHub } from "../../src/worker/hub.js";
import { RawZmtp } from "../fixtures/raw-zmtp.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestWorker } from "./test-worker.js";

const HOST = "127.0.0.1";
const KIB = 1024;
/** More than the bounds of the tests; without a bound all of them would be accepted. */
const MANY_PARTS = 2_000;
const BOUND = 1_024 * KIB;

/** Answers each hello with a welcome. */
class Welcoming implements WorkerListener {
  readonly #hub: WorkerHub;

  constructor(hub: WorkerHub) {
    this.#hub = hub;
  }

  admit() {
    return { kind: "admitted" as const };
  }

  ready({ workerId }: Hello): void {
    this.#hub.send(workerId, { $case: "welcome", value: Welcome.create() }, () => undefined);
  }

  heartbeat(): void {}
  report(): void {}
  gone(): void {}
  exited(): void {}
}

/** A hub that welcomes every worker, behind a door. */
async function openHub(test: TestContext, door: WorkerDoorOptions, isEncrypted = false) {
  const server = curveKeyPair();
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const log = { debug() {}, info() {}, warn, error: warn };
  const gate = { secretKey: server.secretKey, isAllowed: () => true };
  const hub = new WorkerHub(log, isEncrypted ? gate : undefined, door);
  afterwards(test, () => hub.close());
  const zmq = await hub.bind(HOST, 0);
  hub.open(new Welcoming(hub));
  return { port: Number(zmq.split(":").at(-1)), zmq, warnings, curveServerKey: server.publicKey };
}

/** A worker says hello and is answered. */
async function isAnswered(test: TestContext, zmq: string): Promise<TestWorker> {
  const worker = new TestWorker({ zmq, grpc: "" }, "honest");
  afterwards(test, () => worker.close());
  await worker.hello();
  await worker.next("welcome");
  return worker;
}

function rawClient(test: TestContext, port: number): RawZmtp {
  const client = new RawZmtp(port);
  afterwards(test, () => client.socket.destroy());
  return client;
}

describe("a message without end at the workers' port", () => {
  it("is cut off by its number of frames, and others are served", async (test) => {
    const { port, zmq, warnings } = await openHub(test, {});
    const client = rawClient(test, port);
    client.handshake("vandal");
    await client.endless(KIB, MANY_PARTS);
    await client.closed;
    assert.match(warnings.join(), /127\.0\.0\.1 was cut off: its message has more than 8 frames/);
    await isAnswered(test, zmq);
  });

  it("is cut off by its number of bytes", async (test) => {
    const { port, warnings } = await openHub(test, { held: new HeldBytes(BOUND, 2 * BOUND) });
    const client = rawClient(test, port);
    client.handshake("vandal");
    assert.ok((await client.endless(BOUND / 2, MANY_PARTS)) < MANY_PARTS);
    assert.match(warnings.join(), /was cut off: its message has more than 1048576 bytes/);
  });

  it("is cut off under CURVE too, where its frames cannot be told apart", async (test) => {
    const held = new HeldBytes<never>(BOUND, 2 * BOUND);
    const { zmq, warnings, curveServerKey } = await openHub(test, { held }, true);
    const { publicKey: curvePublicKey, secretKey: curveSecretKey } = curveKeyPair();
    const dealer = new Dealer({ linger: 0, curveServerKey, curvePublicKey, curveSecretKey });
    afterwards(test, () => dealer.close());
    dealer.connect(zmq);
    const parts = Array.from({ length: MANY_PARTS }, () => Buffer.alloc(KIB));
    void dealer.send(parts).catch(() => undefined);
    while (!/was cut off: its message has more than/.test(warnings.join())) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});

describe("connections at the workers' port", () => {
  it("together hold no more bytes than a bound, beyond which the one with most is closed", async (test) => {
    const { port, warnings } = await openHub(test, { held: new HeldBytes(10 * BOUND, 3 * BOUND) });
    const [small, large, last] = [1, 2, 1].map((share, index) => {
      const client = rawClient(test, port);
      client.handshake(`client-${index}`);
      client.begin(share * BOUND - KIB);
      return client;
    });
    await large?.closed;
    assert.deepEqual([small?.socket.destroyed, last?.socket.destroyed], [false, false]);
    assert.match(warnings.join(), /messages that are not complete have more than/);
  });

  it("are limited in number, including those that only connect", async (test) => {
    const limits = new ConnectionLimits(3, 3);
    const { port, zmq } = await openHub(test, { admit: (socket) => limits.admit(socket) });
    const idle = [1, 2, 3, 4].map(() => rawClient(test, port));
    await Promise.race(idle.map(({ closed }) => closed));
    const open = idle.filter(({ socket }) => !socket.destroyed);
    assert.equal(open.length, 3);
    for (const { socket } of open) socket.destroy();
    await isAnswered(test, zmq);
  });

  it("are closed where they bring no message in time, and kept otherwise", async (test) => {
    const { port, zmq } = await openHub(test, { firstMessageMs: 500 });
    const honest = await isAnswered(test, zmq);
    const [silent, shaken] = [rawClient(test, port), rawClient(test, port)];
    shaken.handshake("silent");
    await Promise.all([silent.closed, shaken.closed]);
    await honest.hello();
    await honest.next("welcome");
  });

  it("are closed where they speak another protocol or send a command without end", async (test) => {
    const { port, zmq } = await openHub(test, {});
    const browser = rawClient(test, port);
    browser.socket.write("GET / HTTP/1.1\r\n\r\n");
    const vandal = rawClient(test, port);
    vandal.handshake("vandal");
    vandal.socket.write(Buffer.from([6, 0, 0, 0, 0, 1, 0, 0, 0]));
    await Promise.all([browser.closed, vandal.closed]);
    await isAnswered(test, zmq);
  });

  it("reach ZeroMQ through a folder that only this user can enter", async (test) => {
    const door = new WorkerDoor({ debug() {}, info() {}, warn() {}, error() {} }, false);
    afterwards(test, () => door.close());
    assert.equal(statSync(dirname(door.path)).mode & 0o777, 0o700);
  });
});

describe("a door that closes", () => {
  it("closes without an error where a worker hangs up while it is being sent messages", async (test) => {
    const door = new WorkerDoor({ debug() {}, info() {}, warn() {}, error() {} }, false);
    // Stands in for ZeroMQ: keeps sending to a worker that has hung up.
    const inside = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => {
        const talk = setInterval(() => socket.write("word"), 1);
        socket.once("close", () => clearInterval(talk));
      });
    });
    inside.listen(door.path);
    await once(inside, "listening");
    afterwards(test, () => inside.close());
    const client = rawClient(test, await door.listen(HOST, 0));
    client.handshake("leaving");
    await once(client.socket, "data");
    const closed = door.close();
    client.socket.resetAndDestroy();
    await closed;
  });
});
