import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { StillhouseError } from "../../src/errors.js";
import { draftOfArtifact } from "../../src/experiment/domain/artifact-draft.js";
import { initSeeds } from "../../src/experiment/domain/init-seeds.js";
import { planTasks } from "../../src/experiment/domain/plan.js";
import { mustStop } from "../../src/experiment/domain/record.js";
import { failTask, leaseTask } from "../../src/experiment/domain/transitions.js";
import type { Task, Variation } from "../../src/generated/stillhouse/v1/experiment.js";
import { FailureKind } from "../../src/generated/stillhouse/v1/failure.js";
import {
  AttentionLabels,
  ExperimentSpec,
  HeadInit,
  Labels,
  RobustnessCheck,
  RobustnessSpec,
} from "../../src/generated/stillhouse/v1/spec.js";
import { emptySpec } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import {
  CODE_VERSION,
  failureOf,
  NOW,
  plannedRecord,
  resolvedSpec,
} from "../fixtures/experiments.js";
import { factsOf } from "../fixtures/facts.js";

const ALL_CHECKS = Object.values(RobustnessCheck).filter(
  (check) => check !== RobustnessCheck.UNSPECIFIED && check !== RobustnessCheck.UNRECOGNIZED,
);
const SHA256 = "b".repeat(64);
const DEEPER = factsOf({ model: { name: "/m/deeper", fingerprint: "f2", num_layers: 12 } }).model;
const ANOTHER = factsOf({ model: { name: "/m/another", fingerprint: "f3" } }).model;

function robustSpec(
  change: (draft: ExperimentSpec, robustness: RobustnessSpec) => void = () => {},
  transfers = [ANOTHER, DEEPER],
): ExperimentSpec {
  const draft = emptySpec();
  const robustness = RobustnessSpec.fromPartial({
    artifactId: "a1",
    artifactSha256: SHA256,
    checks: ALL_CHECKS,
    numSamples: 4,
  });
  Object.assign(draft, { seed: 7, robustness });
  Object.assign(draft.evaluation ?? {}, { inits: 3, baselineInits: 3 });
  Object.assign(draft.baseline ?? {}, {
    full: false,
    untrained: false,
    herding: true,
    linearProbe: false,
    classMeans: false,
  });
  Object.assign(draft.distilled ?? {}, {
    labels: Labels.UNRESTRICTED,
    attentionLabels: AttentionLabels.CLS,
  });
  change(draft, robustness);
  return resolveSpec(draft, factsOf(), transfers).spec;
}

function plan(spec: ExperimentSpec): Task[] {
  return planTasks(spec, "ex1", CODE_VERSION);
}

function variations(spec: ExperimentSpec): Variation[] {
  return plan(spec).flatMap(({ work }) =>
    work?.kind?.$case === "evaluate" && work.kind.value.variation
      ? [work.kind.value.variation]
      : [],
  );
}

function names(spec: ExperimentSpec): string[] {
  return variations(spec).map(({ name }) => name);
}

describe("a plan for the robustness of distilled data", () => {
  it("evaluates it as it is and under every condition, and distils nothing", () => {
    const ids = plan(robustSpec()).map((task) => task.id.slice("ex1-".length));
    assert.deepEqual(ids, [
      "evaluate",
      "evaluate-hard-labels",
      "evaluate-random-own-labels",
      "evaluate-herding-own-labels",
      "evaluate-steps-2",
      "evaluate-steps-5",
      "evaluate-adam",
      "evaluate-one-by-one",
      "evaluate-one-by-one-shuffled",
      "evaluate-half-batches-shuffled",
      "evaluate-head-init-normal",
      "evaluate-without-attention-labels",
      "evaluate-decoded",
      "evaluate-decoded-hard-labels",
      "evaluate-transfer-1",
      "evaluate-transfer-2",
      "random",
      "herding",
    ]);
  });

  it("has the same learners of the same artifact in every row", () => {
    for (const { work } of plan(robustSpec())) {
      const kind = work?.kind;
      assert.ok(kind && kind.$case !== "distill");
      assert.deepEqual(kind.value.initSeeds, initSeeds(7, 3));
      if (kind.$case === "evaluate") assert.equal(kind.value.artifactId, "a1");
    }
  });

  it("leaves out conditions that would only repeat the plain evaluation", () => {
    const hard = robustSpec((draft) =>
      Object.assign(draft.distilled ?? {}, {
        labels: Labels.HARD,
        attentionLabels: AttentionLabels.NONE,
      }),
    );
    assert.ok(names(hard).includes("hard-labels"));
    for (const name of ["random-own-labels", "without-attention-labels"]) {
      assert.ok(!names(hard).includes(name), name);
    }
    const two = robustSpec((_, robustness) => Object.assign(robustness, { numSamples: 2 }));
    assert.ok(!names(two).includes("half-batches-shuffled"));
    const given = robustSpec((_, robustness) => Object.assign(robustness, { steps: [1, 3] }));
    assert.deepEqual(
      names(given).filter((name) => name.startsWith("steps")),
      ["steps-3"],
    );
  });

  it("tries the first step alone where there are several, and the other initialisation of the head", () => {
    const spec = robustSpec((draft) => {
      Object.assign(draft.inner ?? {}, { steps: 3 });
      Object.assign(draft.model ?? {}, { headInit: HeadInit.NORMAL });
    });
    const found = names(spec);
    for (const name of ["steps-1", "steps-6", "steps-15", "head-init-default"]) {
      assert.ok(found.includes(name), name);
    }
  });

  it("drops attention labels only for an encoder of another shape", () => {
    const [same, deeper] = variations(robustSpec()).slice(-2);
    assert.deepEqual([same?.withoutAttentionLabels, deeper?.withoutAttentionLabels], [false, true]);
    assert.equal(deeper?.transferTo?.fingerprint, "f2");
  });

  it("searches a rate wherever the labels or the optimiser ask for another", () => {
    const searching = variations(robustSpec()).filter(({ searchesLr }) => searchesLr);
    assert.deepEqual(
      searching.map(({ name }) => name),
      ["hard-labels", "random-own-labels", "herding-own-labels", "adam", "decoded-hard-labels"],
    );
  });

  it("shards variations as it does the plain evaluation", () => {
    const many = robustSpec((draft, robustness) => {
      Object.assign(draft.evaluation ?? {}, { inits: 20 });
      Object.assign(robustness, { checks: [RobustnessCheck.OPTIMISER] });
    }, []);
    assert.deepEqual(
      plan(many)
        .map(({ id }) => id.slice("ex1-".length))
        .slice(0, 4),
      ["evaluate-1", "evaluate-2", "evaluate-adam-1", "evaluate-adam-2"],
    );
  });
});

describe("the cache key of a variation", () => {
  const keys = (spec: ExperimentSpec) =>
    Object.fromEntries(plan(spec).map((task) => [task.id, task.cacheKey]));
  const original = keys(robustSpec());

  it("differs for each", () => {
    assert.equal(new Set(Object.values(original)).size, Object.keys(original).length);
  });

  it("depends on the artifact and the encoder, not on how the data was distilled or is called", () => {
    const other = keys(
      robustSpec((_, robustness) => Object.assign(robustness, { artifactSha256: "c".repeat(64) })),
    );
    assert.notEqual(other["ex1-evaluate-adam"], original["ex1-evaluate-adam"]);
    assert.equal(other["ex1-random"], original["ex1-random"]);
    const same = keys(
      robustSpec((draft, robustness) => {
        Object.assign(draft.outer ?? {}, { steps: 3, validations: 1 });
        Object.assign(robustness, { artifactId: "a2" });
      }),
    );
    assert.deepEqual(same, original);
    const weights = keys(robustSpec(() => {}, [{ ...ANOTHER, fingerprint: "f4" }, DEEPER]));
    assert.notEqual(weights["ex1-evaluate-transfer-1"], original["ex1-evaluate-transfer-1"]);
    assert.equal(weights["ex1-evaluate-transfer-2"], original["ex1-evaluate-transfer-2"]);
    const moved = keys(robustSpec(() => {}, [{ ...ANOTHER, name: "/elsewhere" }, DEEPER]));
    assert.deepEqual(moved, original);
  });
});

describe("a request for robustness", () => {
  const refused = (field: string, message: RegExp) => (error: unknown) =>
    error instanceof StillhouseError && error.field === field && message.test(error.message);

  it("refuses an encoder into which the distilled vectors do not fit", () => {
    const wide = factsOf({ model: { name: "wide", entry_width: 768 } }).model;
    assert.throws(
      () => robustSpec(() => {}, [wide]),
      refused("robustness.transfer_to", /wide: its width must be 384, that of minilm, got 768/),
    );
    const short = factsOf({ model: { name: "short", max_positions: 8 } }).model;
    assert.throws(
      () => robustSpec(() => {}, [short]),
      refused("robustness.transfer_to", /it must have 64 positions/),
    );
  });

  it("refuses invalid steps and artifacts", () => {
    assert.throws(
      () => robustSpec((_, robustness) => Object.assign(robustness, { steps: [2, 2] })),
      refused("robustness.steps", /distinct integers from 1 to 10000, got 2,2/),
    );
    assert.throws(
      () => robustSpec((_, robustness) => Object.assign(robustness, { artifactSha256: "" })),
      refused("robustness.artifact_id", /must name an artifact/),
    );
  });

  it("takes the settings of the artifact's manifest, except those that it gives itself", async () => {
    const spec = resolvedSpec((draft) => Object.assign(draft.inner ?? {}, { steps: 3 }));
    const manifest = JSON.stringify({
      spec: ExperimentSpec.toJSON(spec),
      dataset: { class_names: ["a", "b", "c"] },
    });
    const artifacts = { read: () => Readable.from([Buffer.from(manifest)]) };
    const draft = emptySpec();
    draft.robustness = RobustnessSpec.fromPartial({ artifactId: "a1" });
    Object.assign(draft.baseline ?? {}, { full: false });
    const made = await draftOfArtifact(artifacts, "a1", draft);
    assert.equal(made.inner?.steps, 3);
    assert.equal(made.dataset?.fingerprint, spec.dataset?.fingerprint);
    assert.equal(made.baseline?.full, false);
    assert.equal(made.compute?.device, undefined);
    assert.equal(made.evaluation?.inits, 2, "as many as the baselines had");
    assert.equal(made.robustness?.numSamples, 3);
    assert.match(made.robustness?.artifactSha256 ?? "", /^[0-9a-f]{64}$/);
    const other = { read: () => Readable.from([Buffer.from("{}")]) };
    await assert.rejects(
      draftOfArtifact(other, "a1", draft),
      refused("robustness.artifact_id", /does not hold the settings/),
    );
  });
});

describe("a variation that fails", () => {
  it("lets the others run on, unlike a plain evaluation that fails", () => {
    const failed = (id: string) => {
      const record = leaseTask(plannedRecord("ex1", robustSpec()), id, NOW);
      return failTask(record, id, failureOf(FailureKind.DIVERGED), NOW);
    };
    assert.equal(mustStop(failed("ex1-evaluate-adam")), false);
    assert.equal(mustStop(failed("ex1-evaluate")), true);
  });
});
