import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Inspections } from "../../src/experiment/services/inspections.js";
import { Artifact } from "../../src/generated/stillhouse/v1/experiment.js";

function inspectionsOf(manifest: string) {
  const asked: string[] = [];
  const inspections = new Inspections(
    { findArtifact: (id) => Artifact.fromPartial({ id, files: [{ sha256: "f" }] }) },
    {
      exists: () => true,
      pathOf: (id) => `/artifacts/${id}`,
      read: () => Readable.from([Buffer.from(manifest)]),
    },
    {
      inspect: async (path) => {
        asked.push(path);
        return { samples: [] };
      },
    },
  );
  return { inspections, asked };
}

test("an artifact opens no model whose folder its caller may not name", async () => {
  const { inspections, asked } = inspectionsOf('{"model": {"name": "/secret/model"}}');
  const mayName = ({ model }: { model?: { name?: string | undefined } | undefined }) => {
    if (model?.name === "/secret/model") throw new Error("refused");
  };
  // An answer that another caller got before is no way around this.
  await inspections.inspect("a1", 5);
  await assert.rejects(inspections.inspect("a1", 5, mayName), /refused/);
  assert.equal(asked.length, 1);
  await inspections.inspect("a1", 5, () => undefined);
});

test("a manifest that names no model is refused where the caller is asked for it", async () => {
  const { inspections } = inspectionsOf("[]");
  await assert.rejects(
    inspections.inspect("a1", 5, () => undefined),
    /manifest\.json of artifact a1 names no model/,
  );
});
