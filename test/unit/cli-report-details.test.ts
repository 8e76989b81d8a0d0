import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { StillhouseClient } from "../../src/api/client.js";
import { inspectOutcomes } from "../../src/cli/reproduce/report-details.js";
import { Experiment } from "../../src/generated/stillhouse/v1/experiment.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const HELD = {
  model: "minilm",
  dataset: "ag_news",
  class_names: ["World"],
  learning_rates: [0.5],
  objective: "",
  encoder_lr_scale: null,
  samples: [],
};

const EXPERIMENT = Experiment.fromJSON({
  id: "x1",
  tasks: [
    {
      id: "x1-distill",
      work: { distill: {} },
      result: { distill: { artifact: { id: "a1", files: [{ name: "manifest.json" }] } } },
    },
  ],
});

/** A control plane of another machine that has one file. */
const CONNECTION = {
  client: {
    async *download(artifactId: string, fileName: string) {
      yield Buffer.from(`${artifactId}/`);
      yield Buffer.from(fileName);
    },
  } as StillhouseClient,
};

describe("the distilled data of a report", () => {
  it("is downloaded while it is read if it lies on another machine", async (test) => {
    let folder = "";
    const told: number[][] = [];
    const contents = await inspectOutcomes(
      [{ experiment: EXPERIMENT, artifactPath: join(temporaryFolder(test), "none") }],
      CONNECTION,
      async (path) => {
        folder = path;
        assert.equal(readFileSync(join(path, "manifest.json"), "utf8"), "a1/manifest.json");
        return HELD;
      },
      (done, total) => told.push([done, total]),
    );
    assert.deepEqual(told, [
      [0, 1],
      [1, 1],
    ]);
    assert.deepEqual(contents.get("x1"), HELD);
    assert.equal(existsSync(folder), false);
  });

  it("that cannot be read is missing from the report, and only that", async (test) => {
    const artifactPath = mkdtempSync(join(tmpdir(), "stillhouse-test-"));
    test.after(() => rmSync(artifactPath, { recursive: true }));
    const contents = await inspectOutcomes(
      [{ experiment: EXPERIMENT, artifactPath }],
      CONNECTION,
      () => Promise.reject(new Error("the model is not there")),
      () => undefined,
    );
    assert.equal(contents.get("x1"), "It could not be inspected: the model is not there");
  });
});
