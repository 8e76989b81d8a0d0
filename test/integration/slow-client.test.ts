import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials } from "@grpc/grpc-js";
import { experimentService } from "../../src/api/grpc/experiment-service.js";
import { GrpcServer } from "../../src/api/grpc/server.js";
import type { AllUnaryMethods } from "../../src/api/methods.js";
import type { Experiments } from "../../src/experiment/services/experiments.js";
import { Event } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  ExperimentServiceClient,
  ExperimentServiceService,
} from "../../src/generated/stillhouse/v1/service.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";

const NUM_EVENTS = 5_000;
const MESSAGE = "x".repeat(2_000);

it("a client that does not read makes the server wait and costs it no memory", async (test) => {
  let numMade = 0;
  async function* watch(): AsyncGenerator<Event> {
    while (numMade < NUM_EVENTS) {
      const kind = { $case: "log" as const, value: { message: MESSAGE } };
      yield Event.fromPartial({ sequence: BigInt(++numMade), kind });
    }
  }
  const experiments: Pick<Experiments, "watch"> = { watch };
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: assert.fail };
  const methods = experimentService(
    experiments as Experiments,
    {} as AllUnaryMethods["ExperimentService"],
    log,
  );
  const server = new GrpcServer([{ definition: ExperimentServiceService, methods }]);
  const port = await server.listen("127.0.0.1", 0);
  const client = new ExperimentServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  afterwards(test, () => server.stop(100));
  afterwards(test, () => client.close());

  const call = client.watchExperiment({ experimentId: "e", afterSequence: 0n, storedOnly: false });
  const responses = call[Symbol.asyncIterator]();
  let expected = 0n;
  const read = async () => {
    const { value, done } = await responses.next();
    if (done) return false;
    assert.equal(value.event?.sequence, ++expected);
    return true;
  };
  await read();
  for (let before = 0; numMade > before; await sleep(300)) before = numMade; // until it waits
  assert.ok(numMade < NUM_EVENTS / 4, `${numMade} events were made for nobody`);
  while (await read()) {
    // Reads to the end.
  }
  assert.equal(expected, BigInt(NUM_EVENTS));
});
