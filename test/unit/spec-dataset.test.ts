import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { writeDatasetDescription } from "../../src/cli/experiment/dataset-description.js";
import { parseExperimentArguments } from "../../src/cli/experiment/experiment-arguments.js";
import { StillhouseError } from "../../src/errors.js";
import { specForWorker } from "../../src/experiment/scheduling/device-needs.js";
import { BadRows, Source } from "../../src/generated/stillhouse/v1/spec.js";
import { withDatasetPath } from "../../src/settings/dataset-path.js";
import { emptySpec, readField, writeField } from "../../src/settings/field-path.js";
import { specHash } from "../../src/settings/hash.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { factsOf } from "../fixtures/facts.js";

let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "stillhouse-dataset-"));
  mkdirSync(join(folder, "mine", "reviews"), { recursive: true });
  writeFileSync(join(folder, "reviews.csv"), "text,label\n");
});

after(() => rmSync(folder, { recursive: true, force: true }));

function draftOf(...argv: string[]) {
  const surroundings = { userFolder: folder, dataDir: undefined, columns: undefined };
  const request = parseExperimentArguments(argv, surroundings);
  assert.equal(request.kind, "new");
  return request.kind === "new" ? request.draft : emptySpec();
}

function refused(message: RegExp) {
  return (error: unknown) => error instanceof StillhouseError && message.test(error.message);
}

describe("a data set that is named by a path", () => {
  it("becomes an absolute path from the user's folder, and a name stays a name", () => {
    const nameOf = (written: string) => draftOf("--dataset", written).dataset?.name;
    assert.equal(nameOf("./mine/reviews"), join(folder, "mine/reviews"));
    assert.equal(nameOf("mine/reviews"), join(folder, "mine/reviews"));
    assert.equal(nameOf("reviews.csv"), join(folder, "reviews.csv"));
    assert.equal(nameOf(".."), dirname(folder));
    assert.equal(nameOf("mine"), "mine");
    assert.equal(nameOf("nyu-mll/glue:rte"), "nyu-mll/glue:rte");
  });

  it("is a name in a folder of this machine, and looked for nowhere else", () => {
    const { dataset } = withDatasetPath(draftOf("--dataset", "./mine", "--data-dir", "other"));
    assert.deepEqual([dataset?.name, dataset?.dataDir], ["mine", folder]);
    assert.equal(dataset?.source, Source.LOCAL);
    const named = draftOf("--dataset", "sst2");
    assert.equal(withDatasetPath(named), named);
  });

  it("is refused where it is relative", () => {
    for (const name of ["./mine", "../mine", "~/mine", "~", "/", "/data/.."]) {
      const draft = emptySpec();
      writeField(draft, "dataset.name", name);
      assert.throws(
        () => withDatasetPath(draft),
        refused(/must be a name or an absolute path/),
        name,
      );
    }
  });
});

describe("how the rows of a data set are read", () => {
  it("follows from the source, unless it is given", () => {
    const read = (source: "hub" | "local" | "packaged", given = BadRows.UNSPECIFIED) => {
      const draft = emptySpec();
      writeField(draft, "dataset.bad_rows", given);
      return resolveSpec(draft, factsOf({ dataset: { source } }));
    };
    assert.equal(read("hub").spec.dataset?.badRows, BadRows.SKIP);
    assert.equal(read("local").spec.dataset?.badRows, BadRows.REFUSE);
    assert.equal(read("packaged").spec.dataset?.badRows, BadRows.REFUSE);
    assert.deepEqual(read("hub").description.changedFields, []);
    const said = read("hub", BadRows.REFUSE);
    assert.equal(said.spec.dataset?.badRows, BadRows.REFUSE);
    assert.deepEqual(said.description.changedFields, ["dataset.bad_rows"]);
  });

  it("reaches a worker with every field set even if an earlier version stored the spec", () => {
    const { spec } = resolveSpec(emptySpec(), factsOf({ dataset: { source: "hub" } }));
    const earlier = structuredClone(spec);
    Object.assign(earlier.dataset ?? {}, { badRows: BadRows.UNSPECIFIED, testFraction: undefined });
    const needs = { device: "cpu", numDevices: 1, numMembers: 1 };
    const given = specForWorker(earlier, needs, "cpu");
    assert.deepEqual([given?.dataset?.badRows, given?.dataset?.testFraction], [BadRows.SKIP, 0.2]);
    assert.deepEqual(specForWorker(spec, needs, "cpu"), spec);
  });

  it("names one column of texts, or two of pairs, in any of three ways", () => {
    const columns = (...argv: string[]) => draftOf(...argv).dataset?.textColumn;
    assert.equal(columns("--text-column", "a"), "a");
    assert.equal(columns("--text-column", "a,b"), "a,b");
    assert.equal(columns("--text-column", "a", "--text-column", "b c"), "a,b c");
    writeFileSync(join(folder, "run.yaml"), "text-column: [a, b]\nlabel-column: stars\n");
    const draft = draftOf("--config", "run.yaml");
    assert.deepEqual([draft.dataset?.textColumn, draft.dataset?.labelColumn], ["a,b", "stars"]);
    assert.throws(() => columns("--text-column", "a,b,c"), refused(/must be a column or two/));
  });

  it("is stored with what was found, and resolves to the same again", () => {
    const skipped = [{ split: "train", reason: "no label", rows: 3 }];
    const facts = factsOf({ dataset: { skipped, test_rows_in_train: 7, test_from: "validation" } });
    const { spec } = resolveSpec(emptySpec(), facts);
    assert.deepEqual(spec.dataset?.found, {
      files: ["train.csv", "test.csv"],
      textColumns: ["text"],
      labelColumn: "label",
      classNames: ["World", "Sports", "Business", "Sci/Tech"],
      skipped,
      testFrom: "validation",
      testRowsInTrain: 7,
      image: undefined,
    });
    assert.equal(specHash(resolveSpec(spec, facts).spec), specHash(spec));
    assert.equal(readField(spec, "dataset.test_fraction"), 0.2);
  });
});

describe("--write-dataset-json", () => {
  const specOf = (path: string) =>
    resolveSpec(
      emptySpec(),
      factsOf({ dataset: { name: basename(path), data_dir: dirname(path) } }),
    ).spec;

  it("writes what was recognised, and never replaces an existing file", () => {
    const path = writeDatasetDescription(specOf(join(folder, "mine")));
    assert.equal(path, join(folder, "mine", "dataset.json"));
    assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), {
      labels: ["World", "Sports", "Business", "Sci/Tech"],
      text_columns: ["text"],
      label_column: "label",
    });
    const again = () => writeDatasetDescription(specOf(join(folder, "mine")));
    assert.throws(again, refused(/leave the flag out/));
  });

  it("says the shape of images", () => {
    const { spec } = resolveSpec(
      emptySpec(),
      factsOf({
        dataset: {
          name: "mine",
          data_dir: mkdtempSync(join(folder, "images-")),
          text_columns: [],
          label_column: "",
          image: { channels: 1, height: 28, width: 28 },
        },
      }),
    );
    mkdirSync(join(spec.dataset?.dataDir ?? "", "mine"));
    assert.deepEqual(JSON.parse(readFileSync(writeDatasetDescription(spec), "utf8")), {
      modality: "image",
      labels: ["World", "Sports", "Business", "Sci/Tech"],
      channels: 1,
      height: 28,
      width: 28,
    });
  });

  it("is for a folder on this machine", () => {
    const ofFile = () => writeDatasetDescription(specOf(join(folder, "reviews.csv")));
    assert.throws(ofFile, refused(/describes a local folder, and reviews.csv is not one/));
    const elsewhere = () => draftOf("--write-dataset-json", "--server", "host:1");
    assert.throws(elsewhere, refused(/names another one/));
  });
});
