import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DeviceMemory, UNBOUNDED } from "../../src/experiment/scheduling/device-memory.js";

const GPU = { machine: "h", device: "cuda:0" };

function load(used: number, total = 100) {
  return { memoryTotalBytes: BigInt(total), memoryUsedBytes: BigInt(used) };
}

describe("the memory of a device", () => {
  it("is shared by all tasks on it, from their start on", () => {
    const memory = new DeviceMemory();
    memory.noteReport(GPU, load(10), true);
    assert.deepEqual(memory.roomOn([GPU]), { freeBytes: 90, capacityBytes: 90 });
    memory.promise([GPU], "a", 40);
    memory.promise([GPU], "b", 30);
    assert.equal(memory.promisedBytes(GPU), 70);
    // What was in use before comes on top: the tasks have taken nothing yet.
    assert.deepEqual(memory.roomOn([GPU]), { freeBytes: 20, capacityBytes: 90 });
    memory.noteReport(GPU, load(60), false);
    assert.equal(memory.roomOn([GPU]).freeBytes, 20);
    memory.release("a");
    memory.noteReport(GPU, load(40), false);
    assert.equal(memory.roomOn([GPU]).freeBytes, 60);
    assert.deepEqual(memory.roomOn([{ machine: "other", device: "cuda:0" }]), UNBOUNDED);
  });

  it("is known by the device's own id, whatever workers and containers call it", () => {
    const memory = new DeviceMemory();
    const mine = { machine: "h", device: "cuda:0", id: "GPU-1" };
    const beside = { machine: "h", device: "cuda:0", id: "GPU-2" };
    const again = { machine: "", device: "cuda:5", id: "GPU-1" };
    memory.noteReport(mine, load(0), true);
    memory.noteReport(beside, load(0), true);
    memory.promise([mine], "a", 70);
    assert.equal(memory.roomOn([beside]).freeBytes, 100);
    assert.equal(memory.roomOn([again]).freeBytes, 30);
  });

  it("is less where a task or another program takes more than was promised", () => {
    const memory = new DeviceMemory();
    memory.noteReport(GPU, load(10), true);
    memory.promise([GPU], "a", 20);
    memory.noteReport(GPU, load(95), false);
    assert.deepEqual(memory.roomOn([GPU]), { freeBytes: 5, capacityBytes: 90 });
    memory.release("a");
    memory.noteReport(GPU, load(70), true);
    assert.deepEqual(memory.roomOn([GPU]), { freeBytes: 30, capacityBytes: 30 });
  });

  it("of several devices is that of the fullest, and a task holds its share of each", () => {
    const memory = new DeviceMemory();
    const other = { machine: "h", device: "cuda:1" };
    memory.noteReport(GPU, load(10), true);
    memory.noteReport(other, load(30), true);
    assert.deepEqual(memory.roomOn([GPU, other]), { freeBytes: 70, capacityBytes: 70 });
    memory.promise([GPU, other], "both", 50);
    assert.equal(memory.roomOn([GPU]).freeBytes, 40);
    assert.equal(memory.roomOn([other]).freeBytes, 20);
    memory.promise([GPU], "one", 35);
    assert.deepEqual(memory.roomOn([GPU, other]), { freeBytes: 5, capacityBytes: 70 });
    memory.release("both");
    assert.equal(memory.roomOn([GPU]).freeBytes, 55);
    assert.equal(memory.roomOn([other]).freeBytes, 70);
  });

  it("is not bounded where the device does not report it, and forgotten with its last worker", () => {
    const memory = new DeviceMemory();
    memory.noteReport(GPU, load(0, 0), true);
    assert.deepEqual(memory.roomOn([GPU]), UNBOUNDED);
    memory.noteReport(GPU, load(10), true);
    memory.promise([GPU], "a", 20);
    memory.noteReport(GPU, load(0, 0), false);
    memory.keepOnly([]);
    assert.equal(memory.roomOn([GPU]).freeBytes, 70);
    memory.release("a");
    memory.keepOnly([]);
    assert.deepEqual(memory.roomOn([GPU]), UNBOUNDED);
  });
});
