import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";
import { Connection, type HomeControlPlane } from "../../src/cli/connect/connection.js";
import { watchExperiment } from "../../src/cli/connect/watch-experiment.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { Event, Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  type ExperimentServiceServer,
  ExperimentServiceService,
  type WatchExperimentRequest,
  type WatchExperimentResponse,
} from "../../src/generated/stillhouse/v1/service.js";

type WatchCall = ServerWritableStream<WatchExperimentRequest, WatchExperimentResponse>;

const servers: FakeControlPlane[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.end();
});

/** Answers like a control plane that has one experiment, and records what it was asked. */
class FakeControlPlane {
  readonly #server = new Server();
  readonly asked: string[] = [];
  state = State.RUNNING;
  address = "";
  end: () => void = () => undefined;
  /** Resolves once it no longer answers. */
  readonly ended = new Promise<void>((resolve) => {
    this.end = () => {
      this.#server.forceShutdown();
      resolve();
    };
  });

  /** @param watch sends the events of a watch. */
  static async start(watch: (call: WatchCall) => void, port = 0): Promise<FakeControlPlane> {
    const plane = new FakeControlPlane();
    servers.push(plane);
    const answer = () => ({ experiment: plane.experiment() });
    const unused = () => assert.fail("this is never called");
    const methods: ExperimentServiceServer = {
      resolveExperiment: unused,
      createExperiment: unused,
      cancelExperiment: unused,
      retryExperiment: unused,
      deleteExperiment: unused,
      compareExperiments: unused,
      getExperiment: (_call, done) => {
        plane.asked.push("get");
        done(null, { ...answer(), artifactPath: "" });
      },
      listExperiments: (_call, done) => done(null, { experiments: [], nextPageToken: "" }),
      resumeExperiment: (_call, done) => {
        plane.asked.push("resume");
        plane.state = State.RUNNING;
        done(null, answer());
      },
      watchExperiment: (call) => {
        plane.asked.push(`watch after ${call.request.afterSequence}`);
        watch(call);
      },
    };
    plane.#server.addService(ExperimentServiceService, methods);
    const place = `127.0.0.1:${port}`;
    const bound = await new Promise<number>((resolve, reject) =>
      plane.#server.bindAsync(place, ServerCredentials.createInsecure(), (error, at) =>
        error ? reject(error) : resolve(at),
      ),
    );
    plane.address = `127.0.0.1:${bound}`;
    return plane;
  }

  experiment(): Experiment {
    return Experiment.fromPartial({ id: "x1", state: this.state });
  }
}

function eventOf(sequence: number, second: number, state: State | string): { event: Event } {
  const isState = Object.values(State).includes(state as State);
  return {
    event: {
      ...Event.create(),
      sequence: BigInt(sequence),
      time: new Date(second * 1000),
      kind: isState
        ? {
            $case: "experiment",
            value: Experiment.fromPartial({ id: "x1", state: state as State }),
          }
        : {
            $case: "log",
            value: { level: "LOG_LEVEL_INFO" as never, message: state, time: undefined },
          },
    },
  };
}

function started({ address }: FakeControlPlane): HomeControlPlane {
  const dashboard = "http://127.0.0.1:1";
  const stop = () => Promise.resolve();
  return { kind: "started", address, dashboard, leftQueued: [], stop, kill: () => {} };
}

async function logsOf(connection: Connection, skipsHistory = false): Promise<string[]> {
  const options = { connection, experimentId: "x1", skipsHistory, isStopping: () => false };
  const logs: string[] = [];
  for await (const { kind } of watchExperiment(options)) {
    if (kind?.$case === "log") logs.push(kind.value.message);
  }
  return logs;
}

describe("a connection to the control plane of another process", () => {
  it("is taken over when that ends: the watch goes on after the last event", async () => {
    const first = await FakeControlPlane.start((call) => {
      call.write(eventOf(0, 1, State.RUNNING));
      call.write(eventOf(1, 2, "one"));
      call.write(eventOf(2, 3, "two"));
      setTimeout(() => first.end(), 100);
    });
    const second = await FakeControlPlane.start((call) => {
      call.write(eventOf(2, 9, State.RUNNING));
      call.write(eventOf(3, 4, "three"));
      call.write(eventOf(4, 10, State.SUCCEEDED));
      call.end();
    });
    second.state = State.QUEUED; // as a process that started meanwhile left it
    const adopted: string[][] = [];
    const connection = await Connection.toHome((ids) => {
      adopted.push([...ids]);
      const plane =
        adopted.length === 1 ? { kind: "joined", address: first.address } : started(second);
      return Promise.resolve(plane as HomeControlPlane);
    }, []);
    connection.adopt("x1");
    assert.deepEqual(await logsOf(connection), ["one", "two", "three"]);
    assert.deepEqual(adopted, [[], ["x1"]]);
    assert.deepEqual(second.asked, ["get", "resume", "watch after 2"]);
    await connection.close();
  });

  it("waits for one that is still ending, and calls again", async () => {
    const plane = await FakeControlPlane.start(() => undefined);
    const gone = "127.0.0.1:1";
    const places: HomeControlPlane[] = [
      { kind: "joined", address: gone },
      { kind: "joined", address: gone },
      { kind: "joined", address: plane.address },
    ];
    const connection = await Connection.toHome(
      () => Promise.resolve(places.shift() as HomeControlPlane),
      [],
    );
    const answers = await Promise.all([
      connection.call((client) => client.get("x1")),
      connection.call((client) => client.get("x1")),
    ]);
    assert.deepEqual(
      answers.map(({ experiment }) => experiment?.id),
      ["x1", "x1"],
    );
    assert.equal(places.length, 0, "both calls wait for the same search");
    await connection.close();
  });
});

describe("a connection to a named server", () => {
  it("goes on when the server is back, after the last event, and resumes nothing", async () => {
    const first = await FakeControlPlane.start((call) => {
      call.write(eventOf(0, 1, State.RUNNING));
      call.write(eventOf(1, 2, "one"));
      setTimeout(() => first.end(), 100);
    });
    const connection = Connection.toServer(first.address);
    await connection.call((client) => client.get("x1"));
    const logs = logsOf(connection);
    await first.ended;
    const port = Number(first.address.split(":")[1]);
    const second = await FakeControlPlane.start((call) => {
      call.write(eventOf(2, 4, "two"));
      call.write(eventOf(3, 10, State.SUCCEEDED));
      call.end();
    }, port);
    assert.deepEqual(await logs, ["one", "two"]);
    assert.deepEqual(second.asked, ["watch after 1"]);
    await connection.close();
  });
});

describe("a connection that cannot be replaced", () => {
  it("to a named server gives UNAVAILABLE", async () => {
    const connection = Connection.toServer("127.0.0.1:1");
    await assert.rejects(
      connection.call((client) => client.get("x1")),
      (error: unknown) =>
        error instanceof StillhouseError && error.kind === FailureKind.UNAVAILABLE,
    );
    await connection.close();
  });

  it("does not mistake the end of a stream for the end of the experiment", async () => {
    const plane = await FakeControlPlane.start((call) => {
      call.write(eventOf(0, 1, State.RUNNING));
      call.end();
    });
    const connection = await Connection.toHome(() => Promise.resolve(started(plane)), []);
    await assert.rejects(logsOf(connection), /ended before experiment x1 did/);
    await connection.close();
  });
});

describe("a watch of a resumed experiment", () => {
  it("leaves out what happened before it began", async () => {
    const plane = await FakeControlPlane.start((call) => {
      call.write(eventOf(0, 10, State.RUNNING));
      call.write(eventOf(1, 2, "of the first try"));
      call.write(eventOf(2, 3, State.CANCELLED));
      call.write(eventOf(3, 11, "new"));
      call.write(eventOf(4, 12, State.SUCCEEDED));
      call.end();
    });
    const connection = await Connection.toHome(() => Promise.resolve(started(plane)), ["x1"]);
    assert.deepEqual(await logsOf(connection, true), ["new"]);
    await connection.close();
  });
});
