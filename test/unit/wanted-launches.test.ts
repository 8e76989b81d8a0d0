import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LaunchShape } from "../../src/experiment/domain/launcher-ports.js";
import {
  areBounded,
  type Demand,
  mostBytesIn,
  wantedLaunches,
} from "../../src/experiment/scheduling/wanted-launches.js";

const GIB = 1024 ** 3;

function shape(memoryGib: number, device = "cpu", numDevices = 1): LaunchShape {
  return { device, numDevices, memoryBytes: memoryGib * GIB };
}

function demand(count: number, ...of: Parameters<typeof shape>): Demand {
  return { ...shape(...of), count };
}

const PLENTY = { coming: [], numFree: 100, largest: undefined };

describe("the workers that a pool asks for", () => {
  it("are as many as ready tasks, less those that come already", () => {
    const coming = [demand(2, 0)];
    const { launches, rest } = wantedLaunches([demand(5, 0)], { ...PLENTY, coming });
    assert.deepEqual(launches, [shape(0), shape(0), shape(0)]);
    assert.deepEqual(rest, []);
  });

  it("are no more than there is room for, and the rest is left to others", () => {
    const { launches, rest } = wantedLaunches([demand(5, 0)], { ...PLENTY, numFree: 2 });
    assert.equal(launches.length, 2);
    assert.deepEqual(rest, [demand(3, 0)]);
    const none = wantedLaunches([demand(5, 0)], { ...PLENTY, numFree: 0 });
    assert.deepEqual([none.launches, none.rest], [[], [demand(5, 0)]]);
  });

  it("have what their tasks need, and those with large needs come first", () => {
    const demands = [demand(2, 1), demand(1, 8), demand(1, 4, "cpu", 2)];
    const { launches } = wantedLaunches(demands, { ...PLENTY, numFree: 3 });
    assert.deepEqual(launches, [shape(4, "cpu", 2), shape(8), shape(1)]);
  });

  it("are not replaced by one that comes and is too small", () => {
    const coming = [demand(1, 2), demand(1, 16)];
    const { launches } = wantedLaunches([demand(2, 8)], { ...PLENTY, coming });
    assert.deepEqual(launches, [shape(8)]);
  });

  it("leave a large one that comes to the task that needs it", () => {
    const coming = [demand(1, 16), demand(1, 2)];
    const { launches } = wantedLaunches([demand(1, 1), demand(1, 16)], { ...PLENTY, coming });
    assert.deepEqual(launches, []);
  });

  it("never include one that could not hold its task", () => {
    const largest = [shape(16), shape(0, "cuda", 2)];
    const demands = [demand(1, 32), demand(1, 8), demand(1, 8, "cuda", 4)];
    const { launches, rest } = wantedLaunches(demands, { ...PLENTY, largest });
    assert.deepEqual(launches, [shape(8)]);
    assert.deepEqual(rest, [demand(1, 8, "cuda", 4), demand(1, 32)]);
  });

  it("have the kind of device that is needed", () => {
    const coming = [demand(1, 0, "cpu")];
    const { launches } = wantedLaunches([demand(1, 0, "cuda")], { ...PLENTY, coming });
    assert.deepEqual(launches, [shape(0, "cuda")]);
  });
});

describe("the most that a worker of a pool has for a task", () => {
  const largest = [shape(16), shape(0, "cuda", 2)];

  it("follows from the largest shape with its kind and number of devices", () => {
    const pool = { most: 4, largest };
    assert.equal(mostBytesIn(pool, shape(32)), 16 * GIB);
    assert.equal(mostBytesIn(pool, shape(32, "cuda", 2)), Number.POSITIVE_INFINITY);
    assert.ok(mostBytesIn(pool, shape(1, "cuda", 4)) < 0, "none has so many devices");
    assert.ok(mostBytesIn({ most: 0 }, shape(1)) < 0, "it starts none");
  });

  it("is not known of the devices of this machine and of others before a worker is there", () => {
    assert.ok(areBounded([{ most: 0 }, { most: 4, largest }]));
    assert.ok(!areBounded([{ most: 1 }, { most: 4, largest }]));
    assert.ok(!areBounded([{ most: 0 }]));
  });
});
