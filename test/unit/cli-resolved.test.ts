import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderResolved } from "../../src/cli/run/resolved-view.js";
import { colorsOf, terminalOf } from "../../src/cli/terminal/terminal.js";
import { wrapText } from "../../src/cli/terminal/wrap-text.js";
import { Labels } from "../../src/generated/stillhouse/v1/spec.js";
import { emptySpec, type FieldValue, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { formatBytes, formatDuration, formatValue } from "../../src/text/format.js";
import { factsOf } from "../fixtures/facts.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";

function rendered(given: Record<string, FieldValue>, columns?: number, isColored = false): string {
  const draft = emptySpec();
  for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  const resolution = { ...resolveSpec(draft, factsOf()), tasks: [] };
  return renderResolved(resolution, colorsOf(isColored), columns);
}

describe("the resolved experiment", () => {
  it("is shown in a few lines, with its differences to the preset", () => {
    const given = {
      "distilled.labels": Labels.RESTRICTED,
      "outer.epochs": 2,
      "baseline.random": false,
      "outer.accumulate_loss": true,
      name: "first",
    };
    assert.equal(
      rendered(given),
      [
        "Experiment  first: Distilled data + SL restricted, seed 0",
        "Data set    ag_news: train 20,000, validation 1,000, test 7,600 rows, 4 classes",
        "Model       minilm instead of distilbert-base-uncased: 22,713,216 parameters, 6 layers, 12 heads, width 384",
        "Device      Test CPU (cpu), bf16",
        "Preset      cpu, but sl restricted, epochs 2, accumulate-loss on, baseline random off",
        "Steps       1,667 outer steps of 24 texts, 1 inner, 1 distilled per class × 64 vectors",
        "Artifact    393 kB",
        "Note        Preset cpu was chosen: none was named, and the device is not a CUDA device.",
        "",
      ].join("\n"),
    );
  });

  it("fits into a terminal, and is coloured only there", () => {
    const narrow = rendered({ "distilled.labels": Labels.RESTRICTED }, 60);
    for (const line of narrow.split("\n")) assert.ok(line.length <= 60, line);
    assert.ok(rendered({}, 80, true).startsWith("\u001b[1mExperiment\u001b[22m  "));
  });
});

describe("the terminal", () => {
  it("is live and coloured for a person only", () => {
    const screen = new RecordedOutput(80);
    const pipe = new RecordedOutput();
    const person = terminalOf(screen, screen, {});
    assert.ok(person.isLive && person.hasColor.stdout && person.columns === 80);
    assert.ok(!terminalOf(screen, screen, { NO_COLOR: "1" }).hasColor.stderr);
    assert.ok(!terminalOf(screen, screen, { CI: "true" }).isLive);
    const piped = terminalOf(pipe, screen, {});
    assert.ok(!piped.hasColor.stdout && piped.columns === undefined && piped.isLive);
  });
});

describe("numbers", () => {
  it("are shown with the digits that their size needs", () => {
    assert.deepEqual([0.2, 59.6, 305, 3600, 4_830, 90_000].map(formatDuration), [
      "0 s",
      "1 min",
      "5 min 5 s",
      "1 h",
      "1 h 20 min",
      "1 d 1 h",
    ]);
    assert.deepEqual(
      [999, 8_400, 302_000_000, 1_500_000_000].map((bytes) => formatBytes(bytes)),
      ["999 B", "8 kB", "302 MB", "1.5 GB"],
    );
    assert.deepEqual([0.41234, 12.345, 1234.5].map(formatValue), ["0.412", "12.3", "1230"]);
  });

  it("and words are wrapped between words", () => {
    assert.equal(wrapText("one two three four", 11, 2), "one two\n  three\n  four");
    assert.equal(wrapText("unbreakable", 4, 2), "unbreakable");
  });
});
