import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { deviceKind } from "../../src/experiment/scheduling/device-needs.js";
import { DEFAULT_TIMINGS, Leases } from "../../src/experiment/scheduling/leases.js";
import { Roster, type RosterEntry } from "../../src/experiment/scheduling/roster.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";

const KINDS = ["cpu", "cuda"];
const POOLS = ["local", "slurm"];
const worker = fc.constantFrom("a", "b", "c", "d", "e");
const device = fc.constantFrom("cpu", "cuda:0", "cuda:1");

/** Does one thing to a roster, at a time in milliseconds. */
type Act = (roster: Roster) => void;

const acts: fc.Arbitrary<Act> = fc.oneof(
  fc
    .tuple(worker, device, fc.constantFrom(...POOLS), fc.constantFrom(0, 8))
    .map(([id, name, pool, memoryBytes]): Act => {
      const shape = { device: name, numDevices: 1, memoryBytes };
      return (roster) => roster.has(id) || roster.addLaunched(id, pool, shape);
    }),
  fc.tuple(worker, fc.boolean()).map(([id, isRunning]): Act => {
    return (roster) => roster.noteLaunch(id, isRunning, { reason: "", node: "" });
  }),
  fc.tuple(worker, device, fc.constantFrom(1, 2)).map(([workerId, name, pid]): Act => {
    return (roster) => void roster.register(Hello.fromPartial({ workerId, device: name, pid }));
  }),
  fc.tuple(worker, fc.constantFrom(0, 5)).map(([id, forMs]): Act => {
    return (roster) => roster.setAside(id, forMs);
  }),
  fc
    .tuple(
      worker,
      fc.constantFrom(
        ...(["markBusy", "markFree", "markSettling", "markSettled"] as const),
        ...(["markLeaving", "markHeard", "drain", "remove"] as const),
      ),
    )
    .map(
      ([id, method]): Act =>
        (roster) =>
          void roster[method](id),
    ),
);

/** What the roster answers, by passes over all of its workers. */
function linear(roster: Roster) {
  const all = roster.workers();
  const idsOf = (is: (entry: RosterEntry) => boolean) =>
    all.filter(is).map(({ workerId }) => workerId);
  const isComing = (entry: RosterEntry) =>
    entry.state === "pending" || entry.state === "starting" || roster.isFree(entry);
  return {
    drained: idsOf(({ isDraining, state }) => isDraining && state === "idle"),
    idle: KINDS.map((kind) =>
      idsOf((entry) => roster.isFree(entry) && deviceKind(entry.device) === kind),
    ),
    pools: POOLS.map((pool) => {
      const isOf = ({ launch }: RosterEntry) => launch?.pool === pool;
      const shapes = all
        .filter((entry) => isOf(entry) && isComing(entry))
        .map(({ launch }) => JSON.stringify(launch?.shape));
      return {
        launched: idsOf(isOf).sort(),
        pending: idsOf((entry) => isOf(entry) && entry.state === "pending").length,
        withoutTask: idsOf(
          (entry) => isOf(entry) && entry.state !== "busy" && entry.state !== "settling",
        ).sort(),
        coming: shapes.sort(),
        someIdle: all.some((entry) => isOf(entry) && roster.isFree(entry)),
      };
    }),
  };
}

/** The same by its indexes. */
function indexed(roster: Roster): ReturnType<typeof linear> {
  const idsOf = (entries: readonly RosterEntry[]) => entries.map(({ workerId }) => workerId);
  return {
    drained: roster.drainedWorkers(),
    idle: KINDS.map((kind) => idsOf(roster.idleWorkers(kind))),
    pools: POOLS.map((pool) => ({
      launched: idsOf(roster.launchedBy(pool)).sort(),
      pending: roster.numPendingOf(pool),
      withoutTask: idsOf(roster.withoutTaskOf(pool)).sort(),
      coming: roster
        .comingTo(pool)
        .flatMap(({ count, ...shape }) => Array<string>(count).fill(JSON.stringify(shape)))
        .sort(),
      someIdle: roster.idleOf(pool, () => true) !== undefined,
    })),
  };
}

describe("indexes", () => {
  it("of the roster give what a pass over all workers gives, after any changes", () => {
    fc.assert(
      fc.property(fc.array(acts, { maxLength: 60 }), (list) => {
        let nowMs = 0;
        const roster = new Roster(() => nowMs);
        for (const act of list) {
          act(roster);
          nowMs++;
          assert.deepEqual(indexed(roster), linear(roster));
        }
      }),
    );
  });

  it("of leases give what a pass over all leases gives, after any changes", () => {
    const task = fc.constantFrom("t1", "t2", "t3", "t4");
    const grants = fc.record({
      taskId: task,
      experimentId: fc.constantFrom("x", "y"),
      workerId: worker,
      attempt: fc.constantFrom(1, 2),
      isAwaited: fc.boolean(),
    });
    const lists = fc.array(fc.oneof(grants, task), { maxLength: 60 });
    fc.assert(
      fc.property(lists, (list) => {
        const leases = new Leases(DEFAULT_TIMINGS, () => 0);
        for (const each of list) {
          if (typeof each === "string") leases.release(each);
          else if (each.isAwaited) leases.await(each);
          else leases.grant(each);
          const all = leases.runningLeases();
          assert.equal(leases.numRunning, all.length);
          for (const id of ["a", "b", "c", "d", "e"]) {
            assert.equal(
              leases.leaseOfWorker(id),
              all.find(({ workerId }) => workerId === id),
            );
          }
          for (const id of ["x", "y"]) {
            assert.deepEqual(
              leases.leasesOfExperiment(id),
              all.filter(({ experimentId }) => experimentId === id),
            );
          }
        }
      }),
    );
  });
});
