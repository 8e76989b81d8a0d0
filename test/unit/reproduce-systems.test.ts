import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resolveGroup } from "../../src/cli/group/group-run.js";
import { publishedLines } from "../../src/cli/reproduce/published-run.js";
import { parseReproduceArguments } from "../../src/cli/reproduce/reproduce-arguments.js";
import { cellsOf, keyOf } from "../../src/cli/reproduce/reproduce-cells.js";
import { numbersOf } from "../../src/cli/reproduce/reproduce-columns.js";
import { reproducedTables } from "../../src/cli/reproduce/study-table.js";
import { StillhouseError } from "../../src/errors.js";
import { Experiment } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { Init, Preset } from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import type { FieldValue } from "../../src/settings/field-path.js";
import { PRESETS, subjectOfPreset } from "../../src/settings/preset-names.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { TABLES } from "../../src/study/systems.js";
import { STUDY_TABLES } from "../../src/study/tables.js";
import { factsOf } from "../fixtures/facts.js";

const SYSTEMS = TABLES.filter(({ published }) => published !== undefined);

const VECTORS = {
  name: "glove_6b_100d",
  source: "packaged" as const,
  path: "/cache/glove",
  fingerprint: "e".repeat(64),
  words: 341_479,
  width: 100,
  train_coverage: 0.9,
};
/** No work gives figures that could be read for these. */
const WITHOUT_FIGURES = [
  ...["text-agnews", "li-agnews", "wang-adapt", "wang-attack"],
  ...["acl2023", "acl2023-sst2", "acl2023-qnli", "acl2023-mrpc"],
];
const ENCODERS = ["bert-base-uncased", "minilm"];

/** A set of ten classes and a network, as both are found for a draft. */
function factsFor({ preset, model: named }: ExperimentSpec) {
  const none = { dataset: "", model: "", holds: "images" };
  const { dataset, model, holds } = subjectOfPreset(preset) ?? none;
  if (ENCODERS.includes(model)) return factsOf({ model: { name: named?.name || model } });
  const image = dataset === "mnist" ? { channels: 1, height: 28, width: 28 } : undefined;
  return factsOf({
    dataset: {
      name: dataset,
      class_names: [..."0123456789"],
      text_columns: holds === "texts" ? ["text"] : [],
      train_rows: 57_000,
      image: holds === "texts" ? undefined : (image ?? { channels: 3, height: 32, width: 32 }),
    },
    model: {
      ...(holds === "texts" && { embeddings: VECTORS, width: 100, entry_width: 100 }),
      dropout: holds === "texts",
      name: named?.name || model,
      num_layers: 0,
      num_heads: 0,
      max_positions: 2 ** 20,
      attention_span: 0,
      staged: false,
      pooling: "",
    },
  });
}

/** What an adaptation starts from; other drafts make nothing of it. */
function sourceOf(draft: ExperimentSpec) {
  return { ...factsFor(draft).dataset, name: "mnist", fingerprint: "f".repeat(64) };
}

function cells(tables: string[], given: [string, FieldValue][] = []) {
  return cellsOf({ tables, seeds: [0], given: new Map(given) }, undefined);
}

function parsed(...argv: string[]) {
  const surroundings = { userFolder: "/", dataDir: undefined, token: undefined, columns: 100 };
  const request = parseReproduceArguments(argv, surroundings);
  assert.equal(request.kind, "run");
  return request as Extract<typeof request, { kind: "run" }>;
}

function refused(...argv: string[]): string {
  try {
    parsed(...argv);
  } catch (error) {
    assert.ok(error instanceof StillhouseError);
    return error.message;
  }
  return "";
}

describe("works besides the study", () => {
  it("run only where they are named", () => {
    assert.deepEqual(
      parsed().tables,
      STUDY_TABLES.map(({ id }) => id),
    );
    assert.deepEqual(parsed("soft-mnist", "wang-mnist").tables, ["wang-mnist", "soft-mnist"]);
  });

  it("choose their samples and presets themselves", () => {
    assert.match(
      refused("soft-mnist", "--samples", "4"),
      /--samples .* is what soft-mnist chooses/,
    );
    assert.equal(refused("summary", "--samples", "4"), "");
    assert.match(
      refused("wang-mnist", "--preset", "study"),
      /must be wang-mnist or wang-mnist-cpu for wang-mnist, got study/,
    );
    assert.equal(refused("wang-mnist", "--preset", "wang-mnist"), "");
  });

  for (const { id, rows, published } of SYSTEMS) {
    it(`resolve every row of ${id} with the published values, and with those for a CPU`, () => {
      for (const { draft, draftWithoutCuda } of cells([id])) {
        for (const [wanted, name] of [
          [draft, published?.presets.full],
          [draftWithoutCuda, published?.presets.cpu],
        ] as const) {
          assert.ok(wanted !== undefined && name !== undefined);
          const { spec } = resolveSpec(wanted, factsFor(wanted), [], sourceOf(wanted));
          assert.equal(spec.preset, PRESETS[name]);
          assert.equal(spec.baseline?.fullInits, 3);
        }
      }
      const hasFigure = rows.some(({ kind, figure }) => kind === "distilled" && figure);
      assert.equal(hasFigure, !WITHOUT_FIGURES.includes(id));
    });
  }

  it("compute the baselines of a table in one experiment, and no learner of distilled data there", () => {
    const own = cells(["wang-mnist"]);
    const baselines = own.filter(({ label }) => label.startsWith("Baselines"));
    assert.equal(baselines.length, 1);
    const { baseline, evaluation } = baselines[0]?.draft ?? {};
    assert.deepEqual(
      [baseline?.kMeans, baseline?.knn, baseline?.random, baseline?.untrained, baseline?.full],
      [true, true, true, true, false],
    );
    assert.equal(evaluation?.inits, 0);
  });

  it("have settings that only a CPU needs in its preset alone", () => {
    const isRandom = ({ draft }: { draft: ExperimentSpec }) => draft.model?.init === Init.RANDOM;
    const random = cells(["wang-mnist"]).find(isRandom);
    assert.equal(random?.draft.outer?.steps, undefined);
    assert.equal(random?.draft.evaluation?.inits, 200);
    assert.equal(random?.draftWithoutCuda?.outer?.steps, 1000);
    const named = cells(["wang-mnist"], [["preset", Preset.WANG_MNIST_CPU]]).find(isRandom);
    assert.deepEqual(
      [named?.draft.outer?.steps, named?.draftWithoutCuda],
      [1000, undefined],
      "with a preset that is named nothing is left to the device",
    );
    const given = cells(["wang-mnist"], [["outer.steps", 7]]).find(isRandom);
    assert.equal(given?.draftWithoutCuda?.outer?.steps, 7);
  });

  it("take the preset for CPUs where the device is not a CUDA device", async () => {
    const members = cells(["wang-mnist"]);
    for (const [device, preset] of [
      ["cuda:0", Preset.WANG_MNIST],
      ["cpu", Preset.WANG_MNIST_CPU],
    ] as const) {
      const resolve = async (draft: ExperimentSpec) => ({
        spec: { ...draft, compute: { ...draft.compute, device } },
      });
      const connection = { call: (ask: (client: object) => unknown) => ask({ resolve }) };
      const progress = { note: () => undefined };
      const options = { connection, progress, server: undefined } as unknown as Parameters<
        typeof resolveGroup
      >[1];
      const resolutions = await resolveGroup(members, options);
      for (const { spec } of resolutions) assert.equal(spec?.preset, preset);
    }
  });

  it("show published figures alone, and what differs from the published run", () => {
    const [table] = shownOf("soft-mnist", Preset.SOFT_MNIST_CPU);
    assert.deepEqual(
      numbersOf(table, false).rows.map((cells) => [cells[0], cells.at(-1)]),
      [
        ["Full data", "99.0"],
        ["Distilled data (fixed init) + SL unrestricted, 1 sample, 3 steps", ""],
        ["Distilled data (fixed init) + SL unrestricted, 2 samples, 3 steps", ""],
        ["Distilled data (fixed init) + SL unrestricted, 3 samples, 3 steps", ""],
        ["Distilled data (fixed init) + SL unrestricted, 5 samples, 3 steps", "92.0"],
        ["Distilled data (fixed init) + SL unrestricted, 10 samples, 3 steps", "96.0"],
      ],
    );
    assert.equal(numbersOf(table, false).head.at(-1), "published (%)");
    const [source, ...differing] = publishedLines(table);
    assert.match(source ?? "", /Sucholutsky and Schonlau/);
    assert.equal(differing.length, 1, "all rows differ alike");
    assert.match(differing[0] ?? "", /1 sample.*10 samples.*batch-size 128 \(1024\)/);
    for (const [id, preset] of [
      ["soft-mnist", Preset.SOFT_MNIST],
      ["wang-mnist", Preset.WANG_MNIST],
      ["wang-cifar10", Preset.WANG_CIFAR10],
    ] as const) {
      const [full] = shownOf(id, preset);
      assert.match(publishedLines(full).at(-1) ?? "", /Every setting has its published value/);
    }
  });

  it("name for each row what differs in it alone", () => {
    const [, fixed, random] = publishedLines(shownOf("wang-mnist", Preset.WANG_MNIST_CPU)[0]);
    assert.match(fixed ?? "", /hard labels, fixed init, 3 steps: .*inner-lr 0\.1 \(0\.02\)/);
    assert.match(random ?? "", /10 blocks, 30 steps: outer-steps 1000 \(epochs 400\), lr 0\.02/);
    assert.doesNotMatch(random ?? "", /inits 200|blocks 10 \(/);
    const few: [string, FieldValue][] = [
      ["evaluation.inits", 2],
      ["model.name", "mlp"],
    ];
    const [changed] = shownOf("wang-mnist", Preset.WANG_MNIST, few);
    assert.match(publishedLines(changed).at(-1) ?? "", /: model mlp \(lenet\), inits 2 \(200\)\.$/);
  });
});

/** The table before anything is computed. */
function shownOf(id: string, preset: Preset, others: [string, FieldValue][] = []) {
  const given = cells([id], [["preset", preset], ...others]);
  const outcomes = given.map(({ draft }) => {
    const { spec } = resolveSpec(draft, factsFor(draft));
    const experiment = Experiment.fromPartial({ id: "x", spec });
    return {
      experiment: { ...experiment, result: experimentResult(spec, []) },
      artifactPath: "",
    };
  });
  const tables = reproducedTables([id], (table, row) =>
    outcomes.filter((_, at) => given[at]?.key === keyOf(table, row)),
  );
  return tables as [(typeof tables)[0]];
}
