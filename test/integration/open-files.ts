import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { StillhouseClient } from "../../src/api/client.js";
import { LogLevel, LogLine, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { quickSpec } from "../fixtures/experiments.js";
import { RawZmtp } from "../fixtures/raw-zmtp.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { PROJECT } from "../fixtures/tiny.js";
import { TestWorker } from "./test-worker.js";

const PLANE = "test/fixtures/plane-process.mjs";

interface Served {
  readonly grpc: string;
  readonly zmq: string;
  readonly http: string;
}

/**
 * Opens more connections to each port of a control plane than it may have files open, and shows
 * that earlier clients and workers continue meanwhile, and that others get in afterwards.
 */
export async function surviveIdleConnections(
  test: TestContext,
  maxOpenFiles: number,
  numPerPort: number,
): Promise<void> {
  const served = await startWithin(test, maxOpenFiles);
  const client = clientOf(test, served);
  const worker = await workerOf(test, served, "early");
  // A client connects when it calls.
  await client.workers();
  const idle = openIdle(test, served, numPerPort);
  await idle.someAreRefused;
  // The task is finished only afterwards: its artifact would need one more connection.
  await client.create(quickSpec(1), "");
  const assign = await worker.nextTask();
  const stored = { level: LogLevel.INFO, message: "text", time: new Date() };
  await worker.reported(assign, { $case: "log", value: LogLine.fromPartial(stored) });
  idle.end();
  const later = clientOf(test, served);
  // The control plane may not have noticed yet that the others are closed.
  while (!(await later.workers().catch(() => undefined)));
  await doExperiment(later, await workerOf(test, served, "later"));
  await worker.finish(assign);
  assert.equal((await fetch(`${served.http}/readyz`)).status, 200);
}

/** Runs an experiment to its end, with every report stored. */
async function doExperiment(client: StillhouseClient, worker: TestWorker): Promise<void> {
  const { id } = await client.create(quickSpec(2), "");
  let state: State | undefined;
  while (state !== State.SUCCEEDED) {
    await worker.finishNext();
    state = (await client.get(id)).experiment?.state;
  }
}

async function startWithin(test: TestContext, maxOpenFiles: number): Promise<Served> {
  const options = JSON.stringify({ home: temporaryFolder(test), http: { port: 0 } });
  const command = `ulimit -n ${maxOpenFiles}; exec "$0" "$@"`;
  const child = spawn("/bin/sh", ["-c", command, process.execPath, PLANE, options], {
    cwd: PROJECT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  afterwards(test, async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  const [line] = await once(createInterface(child.stdout), "line");
  return JSON.parse(line) as Served;
}

function clientOf(test: TestContext, { grpc }: Served): StillhouseClient {
  const client = new StillhouseClient(grpc);
  afterwards(test, () => client.close());
  return client;
}

async function workerOf(test: TestContext, addresses: Served, id: string): Promise<TestWorker> {
  const worker = new TestWorker(addresses, id);
  afterwards(test, () => worker.close());
  await worker.hello();
  await worker.next("welcome");
  return worker;
}

/** Silent connections; those to the workers' port have shaken hands, since such cost most. */
function openIdle(test: TestContext, { grpc, zmq, http }: Served, numPerPort: number) {
  const [grpcPort, zmqPort, httpPort] = [grpc, zmq, http].map((address) =>
    Number(address.split(":").at(-1)),
  );
  const connect = (port: number | undefined) =>
    Array.from({ length: numPerPort }, () => new RawZmtp(port ?? 0));
  const shaken = connect(zmqPort);
  for (const client of shaken) client.handshake("idle");
  const perPort = [shaken, connect(grpcPort), connect(httpPort)];
  const end = () => {
    for (const { socket } of perPort.flat()) socket.destroy();
  };
  afterwards(test, end);
  const refusals = perPort.map((clients) => Promise.race(clients.map(({ closed }) => closed)));
  return { end, someAreRefused: Promise.all(refusals) };
}
