import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parseExperimentArguments } from "../../src/cli/experiment/experiment-arguments.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { type FieldValue, readField } from "../../src/settings/field-path.js";
import { PRESETS } from "../../src/settings/preset-names.js";
import { fieldsOf, type Setting } from "../../src/settings/setting.js";
import { SETTINGS } from "../../src/settings/settings.js";

const folder = mkdtempSync(join(tmpdir(), "stillhouse-arguments-"));
after(() => rmSync(folder, { recursive: true }));

function parse(argv: string[], dataDir?: string) {
  return parseExperimentArguments(argv, { userFolder: folder, dataDir, columns: 80 });
}

/** The fields that the arguments set. */
function given(argv: string[], dataDir?: string): Record<string, FieldValue> {
  const request = parse(argv, dataDir);
  assert.equal(request.kind, "new");
  const fields = SETTINGS.flatMap(fieldsOf).map((path) => [path, readField(request.draft, path)]);
  return Object.fromEntries(
    fields.filter(([, value]) => value !== undefined && !String(value).endsWith("_UNSPECIFIED")),
  );
}

function refused(argv: string[], message: RegExp, field?: string) {
  assert.throws(
    () => parse(argv),
    (error: unknown) => {
      assert.ok(error instanceof StillhouseError, String(error));
      assert.equal(error.kind, FailureKind.INVALID);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      if (field !== undefined) assert.equal(error.field, field);
      return true;
    },
  );
}

function writeConfig(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return name;
}

/** Values that a setting refuses: wrong types, and numbers beyond each end of a range. */
function wrongWords(setting: Setting): string[] {
  switch (setting.kind) {
    case "number": {
      const { min, max, aboveMin, belowMax, integer } = setting.range;
      const outside = [aboveMin ? min : min - 1, ...(max ? [belowMax ? max : 2 * max + 1] : [])];
      return [
        ...outside.map(String),
        ...(integer ? [String(min + 0.5)] : []),
        ...["NaN", "Infinity", "1e", "0x10", "1_000", "many", "", "1e999"],
      ];
    }
    case "choice":
    case "subset":
      return ["something", "", "None"];
    case "text":
      return setting.flag === "name" ? ["a\u0007b", "x".repeat(201)] : ["", " ", "a\nb"];
    case "switch":
      return [];
  }
}

describe("a flag", () => {
  for (const setting of SETTINGS.filter((candidate) => candidate.kind !== "switch")) {
    it(`--${setting.flag} refuses what is out of its range, with flag, field and value`, () => {
      for (const word of wrongWords(setting)) {
        const start = `--${setting.flag} (${setting.path}) must be `;
        assert.throws(
          () => parse([`--${setting.flag}`, word]),
          (error: unknown) => {
            assert.ok(error instanceof StillhouseError, `${word} was taken`);
            assert.equal(error.message.slice(0, start.length), start);
            assert.match(error.message, /, got /);
            assert.equal(error.field, setting.path);
            return true;
          },
        );
      }
    });
  }

  it("sets its field, and without flags nothing is set", () => {
    assert.deepEqual(given([]), {});
    assert.deepEqual(
      given([
        ..."--sl unrestricted --al cls --lambda 0 --al-reduction keys --per-class 2".split(" "),
        ..."--steps 3 --init fixed --head-init normal --x-init real --inner-lr 5e-1".split(" "),
        ..."--inner-lr-decay .2 --learn-lr per-step --accumulate-loss --lr 2e-3".split(" "),
        ..."--outer-steps 100 --batch-size 8 --seq-len 16 --max-length 32 --clip 1".split(" "),
        ..."--precision fp32 --protocol paper --inits 4 --seed 4294967295 --device cuda:1".split(
          " ",
        ),
        ..."--artifact-dtype fp16 --preset cpu --name first --baselines full,random".split(" "),
      ]),
      {
        "distilled.labels": "LABELS_UNRESTRICTED",
        "distilled.attention_labels": "ATTENTION_LABELS_CLS",
        "distilled.attention_lambda": 0,
        "distilled.attention_reduction": "ATTENTION_REDUCTION_KEYS",
        "distilled.per_class": 2,
        "inner.steps": 3,
        "model.init": "INIT_FIXED",
        "model.head_init": "HEAD_INIT_NORMAL",
        "distilled.x_init": "X_INIT_REAL",
        "inner.lr": 0.5,
        "inner.lr_decay": 0.2,
        "inner.learn_lr": "LEARN_LR_PER_STEP",
        "outer.accumulate_loss": true,
        "outer.lr": 2e-3,
        "outer.steps": 100,
        "outer.batch_size": 8,
        "distilled.seq_len": 16,
        "dataset.max_length": 32,
        "outer.clip": 1,
        "compute.precision": "FLOAT_TYPE_FP32",
        "evaluation.protocol": "PROTOCOL_PAPER",
        "evaluation.inits": 4,
        seed: 4294967295,
        "compute.device": "cuda:1",
        "distilled.artifact_dtype": "FLOAT_TYPE_FP16",
        preset: "PRESET_CPU",
        name: "first",
        "baseline.adam": false,
        "baseline.class_means": false,
        "baseline.full": true,
        "baseline.herding": false,
        "baseline.k_means": false,
        "baseline.kcenter": false,
        "baseline.knn": false,
        "baseline.linear_probe": false,
        "baseline.setfit": false,
        "baseline.random": true,
        "baseline.untrained": false,
      },
    );
  });

  it("--device auto leaves the device open, also against a file", () => {
    const config = writeConfig("device.yaml", "device: cuda\n");
    assert.deepEqual(given(["--config", config]), { "compute.device": "cuda" });
    assert.deepEqual(given(["--config", config, "--device", "auto"]), {});
  });

  it("that is unknown is refused, with the flag that was meant", () => {
    refused(["--iner-lr", "1"], /unknown option '--iner-lr'; did you mean --inner-lr\?/);
    refused(["--inner_lr", "1"], /unknown option '--inner_lr'; did you mean --inner-lr\?/);
    refused(["--frobnicate"], /unknown option '--frobnicate'/);
  });

  it("without its value, or a word without a flag, is refused", () => {
    refused(["--seed"], /option '--seed <n>' argument missing/);
    refused(["unrestricted"], /unexpected argument "unrestricted"; npm needs a -- before/);
  });

  it("with an unknown choice lists the choices", () => {
    refused(
      ["--preset", "gpu"],
      new RegExp(`must be one of ${Object.keys(PRESETS).join(", ")}, got gpu`),
      "preset",
    );
    refused(["--sl", "unresticted"], /restricted, unrestricted, got unresticted; did you mean un/);
  });

  it("--epochs beside --outer-steps is refused", () => {
    refused(
      ["--epochs", "1", "--outer-steps", "5"],
      /--epochs .* and --outer-steps .* exclude each other/,
      "outer.steps",
    );
  });
});

describe("a config file", () => {
  it("is overridden by a flag, field by field", () => {
    const config = writeConfig(
      "run.yaml",
      "inner-lr: 0.1\nsl: restricted\naccumulate-loss: true\n",
    );
    assert.deepEqual(given(["--config", config, "--inner-lr", "0.2", "--no-accumulate-loss"]), {
      "inner.lr": 0.2,
      "distilled.labels": "LABELS_RESTRICTED",
      "outer.accumulate_loss": false,
    });
  });

  it("is overridden by a flag for the length of the run, for epochs and steps alike", () => {
    const config = writeConfig("length.yaml", "outer-steps: 100\n");
    assert.deepEqual(given(["--config", config, "--epochs", "2"]), { "outer.epochs": 2 });
  });

  it("with both epochs and outer-steps is refused", () => {
    const config = writeConfig("both.yaml", "outer-steps: 100\nepochs: 1\n");
    refused(["--config", config], /epochs in both\.yaml .* exclude each other/);
  });

  it("that is missing, a folder or broken is refused", () => {
    refused(["--config", "nowhere.yaml"], /--config: nowhere\.yaml does not exist/);
    refused(["--config", "."], /--config: \. is a folder, not a file/);
    refused(["--config", writeConfig("broken.yaml", "sl: [")], /broken\.yaml is not valid YAML/);
    refused(["--config", writeConfig("typo.yaml", "iner-lr: 1")], /did you mean inner-lr\?/);
  });
});

describe("paths", () => {
  it("are absolute in the draft: from the user's folder, or from that of the file", () => {
    mkdirSync(join(folder, "configs", "models", "tiny"), { recursive: true });
    const config = writeConfig(
      join("configs", "paths.yaml"),
      "data-dir: data\nmodel: models/tiny\n",
    );
    assert.deepEqual(given(["--config", config]), {
      "dataset.data_dir": join(folder, "configs", "data"),
      "model.name": join(folder, "configs", "models", "tiny"),
    });
    assert.deepEqual(given(["--data-dir", "../data", "--model", "./missing"]), {
      "dataset.data_dir": join(folder, "..", "data"),
      "model.name": join(folder, "missing"),
    });
    assert.equal(given(["--model", "~/m"])["model.name"], join(homedir(), "m"));
  });

  it("are distinguished from names on the hub", () => {
    for (const model of ["minilm", "google/bert_uncased_L-2_H-128_A-2"]) {
      assert.equal(given(["--model", model])["model.name"], model);
    }
  });

  it("of the data come from the environment only where nothing else names them", () => {
    assert.deepEqual(given([], "/env"), { "dataset.data_dir": "/env" });
    assert.deepEqual(given(["--data-dir", "/flag"], "/env"), { "dataset.data_dir": "/flag" });
  });
});

describe("the request", () => {
  it("is a dry run, one for a server, or one to resume", () => {
    const dry = parse(["--dry-run", "--server", "localhost:7000"]);
    assert.ok(
      dry.kind === "new" && dry.isDryRun && dry.server?.endpoint.address === "localhost:7000",
    );
    assert.deepEqual(parse(["--resume", "x1", "--json"]), {
      kind: "resume",
      experimentId: "x1",
      isDetached: false,
      exportFolder: undefined,
      server: undefined,
    });
  });

  it("is exported to a folder only where one experiment is seen to its end", () => {
    for (const argv of [
      ["--export", "out"],
      ["--export", "out", "--resume", "x1"],
    ]) {
      const request = parse(argv);
      assert.ok(request.kind !== "help" && request.exportFolder?.endsWith("/out"));
    }
    for (const beside of [["--detach"], ["--dry-run"], ["--distillations", "3"]]) {
      refused(["--export", "out", ...beside], /--export writes one experiment at its end/);
    }
  });

  it("has the priority that is given, or none", () => {
    for (const [argv, priority] of [
      [[], 0],
      [["--priority", "7"], 7],
      [["--priority", "-100"], -100],
    ] as const) {
      const request = parse([...argv]);
      assert.ok(request.kind === "new");
      assert.equal(request.priority, priority);
    }
    for (const raw of ["high", "1.5", ""]) {
      refused(
        ["--priority", raw],
        /--priority must be a whole number from -100 to 100/,
        "priority",
      );
    }
  });

  it("to resume takes no settings", () => {
    refused(["--resume", "x1", "--seed", "1"], /leave out all others/, "seed");
    refused(["--resume", "x1", "--config", "x.yaml"], /leave out all others/);
    refused(["--resume", "x1", "--dry-run"], /leave out all others/);
    refused(["--resume", "x1", "--priority", "1"], /leave out all others/);
  });

  it("for a server names host and port", () => {
    for (const server of ["localhost", "host:port", ":80", "http://host:80"]) {
      refused(["--server", server], /--server must be HOST:PORT/);
    }
  });
});

describe("the help", () => {
  for (const columns of [80, 120]) {
    it(`lists every flag within ${columns} columns, with examples at the end`, () => {
      const request = parseExperimentArguments(["--help"], {
        userFolder: folder,
        dataDir: undefined,
        columns,
      });
      assert.equal(request.kind, "help");
      for (const { flag } of SETTINGS)
        assert.match(request.text, new RegExp(`^  --${flag}\\b`, "m"));
      for (const line of request.text.split("\n")) assert.ok(line.length <= columns, line);
      assert.match(request.text, /Examples:[\s\S]*--sl unrestricted --al cls/);
    });
  }

  it("shows the defaults of both presets", () => {
    const request = parse(["--help"]);
    assert.equal(request.kind, "help");
    const text = request.text.replace(/\s+/g, " ");
    assert.match(text, /S: vectors per distilled sample \[study 512, cpu 64\]/);
    assert.match(text, /η: rate of the first step; with 0 .*? \[study 0\.5, cpu 0\]/);
    assert.match(text, /--epochs <x> .*?\[study 20\]/);
  });
});
