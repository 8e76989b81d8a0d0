import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { settingsDocument } from "../../../src/api/http/settings-document.js";
import { parseRobustnessArguments } from "../../../src/cli/robustness/robustness-arguments.js";
import {
  defaultText,
  draftOf,
  flagOfField,
  problemsOf,
} from "../../../src/dashboard/model/draft.js";
import { fits, parseSearch, sorted } from "../../../src/dashboard/model/experiment-table.js";
import { experimentView } from "../../../src/dashboard/model/experiment-view.js";
import {
  commandLine,
  givenValues,
  presetOf,
  repeatingCommand,
  type SettingsDocument,
  specRows,
} from "../../../src/dashboard/model/settings-view.js";
import { Experiment as PageExperiment } from "../../../src/generated/page/stillhouse/v1/experiment.js";
import { ExperimentSpec as PageSpec } from "../../../src/generated/page/stillhouse/v1/spec.js";
import {
  ExperimentSpec,
  Preset,
  RobustnessCheck,
  RobustnessSpec,
} from "../../../src/generated/stillhouse/v1/spec.js";
import { PRESETS } from "../../../src/settings/preset-names.js";
import { presetSpec } from "../../../src/settings/presets.js";
import { validateDraft } from "../../../src/settings/validate.js";
import { writeWordValues } from "../../../src/settings/words.js";
import { resolvedSpec } from "../../fixtures/experiments.js";

const { settings: SETTINGS }: SettingsDocument = JSON.parse(JSON.stringify(settingsDocument()));

function asPageReads(spec: ExperimentSpec): PageSpec {
  return PageSpec.fromJSON(JSON.parse(JSON.stringify(ExperimentSpec.toJSON(spec))));
}

const CHANGED = resolvedSpec((draft) => {
  draft.inner = { ...draft.inner, lr: 0.1 } as typeof draft.inner;
  draft.outer = { ...draft.outer, accumulateLoss: true } as typeof draft.outer;
  draft.baseline = { ...draft.baseline, full: false } as typeof draft.baseline;
  draft.name = "it's mine";
});

test("every preset has on the page the name that its flag takes", () => {
  for (const [name, preset] of Object.entries(PRESETS)) {
    assert.equal(presetOf(asPageReads(ExperimentSpec.fromPartial({ preset }))), name);
  }
  assert.equal(presetOf(asPageReads(ExperimentSpec.fromPartial({}))), "cpu");
});

describe("a spec beside its preset", () => {
  test("has its differences marked, except where no preset decides", () => {
    const changed = specRows(asPageReads(CHANGED), SETTINGS).filter(({ isChanged }) => isChanged);
    assert.deepEqual(
      changed.map(({ setting, value }) => [setting.flag, value]),
      [
        ["inner-lr", "0.1"],
        ["accumulate-loss", "true"],
        ["inits", "3"],
        ["baselines", "random,untrained"],
        ["baseline-inits", "2"],
        ["seed", "7"],
      ],
    );
  });

  test("of a network has no difference where it has the values of networks", () => {
    const written = presetSpec(Preset.CPU, undefined, true);
    writeWordValues(written);
    const spec = { ...written, model: { ...written.model, embeddings: "glove" } };
    const changed = (of: typeof spec) =>
      specRows(asPageReads(of as ExperimentSpec), SETTINGS)
        .filter(({ isChanged }) => isChanged)
        .map(({ setting }) => setting.flag);
    assert.deepEqual(changed(spec), []);
    const ofEncoder = { ...spec, model: { ...spec.model, embeddings: "" } };
    assert.ok(changed(ofEncoder).includes("x-init"), `${changed(ofEncoder)}`);
  });

  test("the command holds what is needed to get the same, quoted for a shell", () => {
    const command = commandLine(givenValues(asPageReads(CHANGED), SETTINGS));
    assert.match(command, /^npm run experiment -- --dataset /);
    assert.match(command, / --inner-lr 0\.1 /);
    assert.match(command, / --accumulate-loss /);
    assert.match(command, / --baselines random,untrained /);
    assert.match(command, / --name 'it'\\''s mine'/);
    assert.doesNotMatch(command, /--epochs|--clip/);
  });

  test("the command of a robustness experiment names its conditions", () => {
    const robustness = RobustnessSpec.fromPartial({
      artifactId: "12cbf1a8b8",
      checks: [RobustnessCheck.HEAD_INIT, RobustnessCheck.STEPS],
      steps: [2, 5],
      transferTo: [{ name: "bert-base-uncased" }, { name: "/m/a b" }],
    });
    const spec = asPageReads({ ...CHANGED, name: "mine", robustness });
    const words = repeatingCommand(spec, SETTINGS).match(/'.*?'|\S+/g) ?? [];
    assert.deepEqual(words.slice(0, 4), ["npm", "run", "robustness", "--"]);
    const place = { userFolder: "/", dataDir: undefined, token: undefined, columns: undefined };
    const given = words.slice(4).map((word) => word.replaceAll("'", ""));
    const asked = parseRobustnessArguments(given, place);
    assert.ok(asked.kind === "run");
    assert.equal(asked.subject, "12cbf1a8b8");
    const draft = asked.draftFor(asked.subject);
    assert.deepEqual(draft.robustness, robustness);
    assert.equal(draft.evaluation?.inits, 3);
    assert.deepEqual([draft.baseline?.full, draft.baseline?.random], [false, true]);
  });

  test("the values of a spec, written into the form, give a draft with the same values", () => {
    const draft = draftOf(givenValues(asPageReads(CHANGED), SETTINGS), SETTINGS);
    const read = ExperimentSpec.fromJSON(draft);
    validateDraft(read);
    assert.equal(read.inner?.lr, 0.1);
    assert.equal(read.outer?.accumulateLoss, true);
    assert.deepEqual(
      [read.baseline?.full, read.baseline?.random, read.baseline?.untrained],
      [false, true, true],
    );
    assert.equal(read.outer?.clip, undefined);
    assert.equal(read.name, "it's mine");
  });
});

describe("the form", () => {
  const problems = (values: Record<string, string>) =>
    Object.fromEntries(problemsOf(new Map(Object.entries(values)), SETTINGS));

  test("refuses what the server would refuse, in the same words", () => {
    assert.deepEqual(problems({ "inner-lr": "-1", steps: "1.5", sl: "soft", seed: "0x1" }), {
      "inner-lr": "must be ≥ 0 and ≤ 1e+30",
      steps: "must be an integer from 1 to 10000",
      sl: "must be one of none, restricted, unrestricted",
      seed: "must be an integer from 0 to 4294967295",
    });
    assert.deepEqual(problems({ device: "gpu", baselines: "full,half" }), {
      device: "must be auto, cpu, cuda or cuda:N",
      baselines:
        "must be all, none, or some of full,linear-probe,class-means,random,herding,kcenter,k-means,knn,adam,setfit,untrained",
    });
  });

  test("takes what the command line takes", () => {
    const fine = {
      "inner-lr": "1e-3",
      device: "cuda:1",
      baselines: "none",
      lr: ".05",
      name: "a b",
    };
    assert.deepEqual(problems(fine), {});
    assert.deepEqual(problems({ "outer-steps": "10" }), {});
  });

  test("epochs and outer steps exclude each other", () => {
    assert.ok("outer-steps" in problems({ "outer-steps": "10", epochs: "1" }));
  });

  test("leaves out what is left empty", () => {
    assert.deepEqual(
      draftOf(
        new Map([
          ["inner-lr", ""],
          ["sl", "restricted"],
        ]),
        SETTINGS,
      ),
      {
        distilled: { labels: "LABELS_RESTRICTED" },
      },
    );
  });

  test("shows the default of an empty setting", () => {
    const text = (flag: string, preset?: "cpu" | "study") => {
      const setting = SETTINGS.find((each) => each.flag === flag);
      assert.ok(setting);
      return defaultText(setting, preset);
    };
    assert.equal(text("seq-len"), "study 512, cpu 64");
    assert.equal(text("seq-len", "cpu"), "64");
    assert.equal(text("batch-size"), "study 48, cpu 24");
    assert.equal(text("baselines"), "full,linear-probe,class-means,random,untrained");
    assert.equal(text("x-init", "study"), "noise");
    assert.equal(text("epochs", "cpu"), "");
    assert.equal(text("preset"), "");
  });

  test("finds the setting that the server names", () => {
    assert.equal(flagOfField("inner.lr", SETTINGS), "inner-lr");
    assert.equal(flagOfField("baseline.full", SETTINGS), "baselines");
    assert.equal(flagOfField("nothing", SETTINGS), undefined);
  });
});

describe("the search in the table", () => {
  test("takes words for the server, and settings that must have a value", () => {
    const { text, conditions } = parseSearch("first sl=none --steps=3 x=1", SETTINGS);
    assert.equal(text, "first x=1");
    assert.deepEqual(
      conditions.map(({ setting, value }) => [setting.flag, value]),
      [
        ["sl", "none"],
        ["steps", "3"],
      ],
    );
  });

  test("finds values as a person writes them, and sorts numbers by size", () => {
    const views = [10, 9, 100].map((steps) => {
      const spec = resolvedSpec((draft) => {
        draft.inner = { ...draft.inner, steps } as typeof draft.inner;
      });
      return experimentView({
        ...PageExperiment.fromJSON({ id: `t${steps}` }),
        spec: asPageReads(spec),
      });
    });
    const search = parseSearch("steps=9 sl=none", SETTINGS);
    assert.deepEqual(
      views.filter((view) => fits(view, search)).map(({ id }) => id),
      ["t9"],
    );
    assert.deepEqual(
      sorted(views, { column: "--steps", isDescending: false }, SETTINGS).map(({ id }) => id),
      ["t9", "t10", "t100"],
    );
  });
});
