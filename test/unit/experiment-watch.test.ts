import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { EventFeed } from "../../src/experiment/scheduling/event-feed.js";
import { watchExperiment } from "../../src/experiment/services/watch.js";
import { Event, Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { NOW } from "../fixtures/experiments.js";

/** A log of events with the interface of the store, and an experiment that can be ended. */
class Happenings {
  readonly feed = new EventFeed();
  readonly events: Event[] = [];
  state = State.RUNNING;

  readonly sources = {
    feed: this.feed,
    now: () => NOW,
    get: (id: string) => Experiment.fromPartial({ id, state: this.state }),
    store: {
      eventsAfter: (_: string, after: bigint, limit: number) =>
        this.events.filter(({ sequence }) => sequence > after).slice(0, limit),
      lastSequence: () => BigInt(this.events.length),
    },
  };

  log(message: string) {
    const event = Event.fromPartial({
      sequence: BigInt(this.events.length + 1),
      experimentId: "e",
      kind: { $case: "log", value: { message } },
    });
    this.events.push(event);
    this.feed.publishStored([event]);
  }

  live(taskId: string, done: bigint) {
    const kind = { $case: "progress" as const, value: { done } };
    this.feed.publishLive(Event.fromPartial({ experimentId: "e", taskId, kind }));
  }

  metrics(sequence: bigint) {
    const kind = { $case: "metrics" as const, value: { points: [{ sequence }] } };
    this.feed.publishLive(Event.fromPartial({ experimentId: "e", taskId: "t", kind }));
  }

  end() {
    this.state = State.SUCCEEDED;
    this.log("the end");
  }

  watch(after = 0n, signal = new AbortController().signal, storedOnly = false) {
    return watchExperiment(this.sources, "e", after, signal, storedOnly);
  }
}

async function numbers(events: AsyncIterable<Event>): Promise<number[]> {
  const seen: number[] = [];
  for await (const { sequence } of events) seen.push(Number(sequence));
  return seen;
}

describe("a watch", () => {
  it("of stored events only ends after them, though the experiment continues", async () => {
    const happenings = new Happenings();
    for (const message of ["one", "two"]) happenings.log(message);
    happenings.live("t", 1n);
    const { signal } = new AbortController();
    assert.deepEqual(await numbers(happenings.watch(0n, signal, true)), [0, 1, 2]);
    assert.equal(happenings.state, State.RUNNING);
  });

  it("begins with the experiment, gives every stored event once, in order, and ends", async () => {
    const happenings = new Happenings();
    for (let index = 0; index < 250; index++) happenings.log("before");
    const watch = happenings.watch(0n);
    const first = await watch.next();
    assert.ok(!first.done && first.value.kind?.$case === "experiment");
    assert.equal(first.value.sequence, 0n);
    const rest = numbers(watch);
    for (let index = 0; index < 250; index++) {
      happenings.log("during");
      if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    happenings.end();
    assert.deepEqual(
      await rest,
      Array.from({ length: 501 }, (_, index) => index + 1),
    );
  });

  it("continues after the last event that was seen", async () => {
    const happenings = new Happenings();
    for (let index = 0; index < 5; index++) happenings.log("before");
    happenings.end();
    assert.deepEqual(await numbers(happenings.watch(4n)), [4, 5, 6]);
  });

  it("refuses a future sequence, which would silently skip events", async () => {
    const happenings = new Happenings();
    happenings.log("one");
    await assert.rejects(
      happenings.watch(2n).next(),
      (error) => error instanceof StillhouseError && /at most 1.*got 2/.test(error.message),
    );
  });

  it("costs a slow watcher bounded memory: the latest progress, the newest metrics", async () => {
    const happenings = new Happenings();
    const watch = happenings.watch();
    await watch.next();
    await Promise.race([watch.next(), new Promise((resolve) => setImmediate(resolve))]);
    for (let index = 1n; index <= 10_000n; index++) {
      happenings.live("a", index);
      happenings.live("b", index);
      happenings.metrics(index);
    }
    happenings.end();
    const kinds = new Map<string, Event[]>();
    for await (const event of watch) {
      const kind = event.kind?.$case ?? "";
      kinds.set(kind, [...(kinds.get(kind) ?? []), event]);
    }
    const progress = kinds.get("progress")?.map((event) => event.taskId);
    assert.ok((progress?.length ?? 0) <= 3, "the first may have been taken, then one per task");
    const points = kinds.get("metrics") ?? [];
    assert.ok(points.length <= 257);
    const newest = points.at(-1)?.kind;
    assert.ok(newest?.$case === "metrics" && newest.value.points[0]?.sequence === 10_000n);
  });

  it("drops progress that is older than a task's new state", async () => {
    const happenings = new Happenings();
    const subscription = happenings.feed.subscribe("e");
    happenings.live("t", 1n);
    const kind = { $case: "task" as const, value: { id: "t" } };
    happenings.feed.publishStored([Event.fromPartial({ experimentId: "e", taskId: "t", kind })]);
    assert.deepEqual(subscription.takeLive(), []);
    subscription.close();
  });

  it("ends quietly when it is aborted, and with the error when the control plane stops", async () => {
    const happenings = new Happenings();
    const abort = new AbortController();
    const aborted = happenings.watch(0n, abort.signal);
    await aborted.next();
    const end = aborted.next();
    abort.abort();
    assert.equal((await end).done, true);
    const cutOff = happenings.watch();
    await cutOff.next();
    const failure = assert.rejects(cutOff.next(), /is stopping/);
    happenings.feed.end(
      new StillhouseError(FailureKind.UNAVAILABLE, "the control plane is stopping"),
    );
    await failure;
  });
});
