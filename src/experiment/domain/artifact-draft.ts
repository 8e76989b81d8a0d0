import { createHash } from "node:crypto";
import { invalid } from "../../errors.js";
import {
  ExperimentSpec,
  ModelSpec,
  RobustnessSpec,
  Source,
} from "../../generated/stillhouse/v1/spec.js";
import { emptySpec, writeField } from "../../settings/field-path.js";
import { overlay } from "../../settings/resolve.js";
import { samplesPerBlock } from "../../settings/samples.js";
import type { ArtifactStore } from "./storage-ports.js";

const MANIFEST = "manifest.json";

/**
 * The draft of an experiment that evaluates existing distilled data: the settings of the artifact's
 * manifest, except those that the draft itself gives.
 *
 * @param artifactId id of an artifact that exists
 * @throws INVALID for a manifest that has no settings, NOT_FOUND when it has no manifest
 */
export async function draftOfArtifact(
  artifacts: Pick<ArtifactStore, "read">,
  artifactId: string,
  draft: ExperimentSpec,
): Promise<ExperimentSpec> {
  const bytes = await read(artifacts, artifactId);
  const { spec, numClasses } = parsed(bytes, artifactId);
  const result = emptySpec();
  overlay(result, spec);
  for (const group of ["dataset", "model"] as const) {
    writeField(result, `${group}.fingerprint`, spec[group]?.fingerprint ?? "");
  }
  // The present state decides, not the former one.
  result.compute = {
    ...result.compute,
    device: undefined,
    memoryMib: undefined,
  } as typeof result.compute;
  result.name = undefined;
  // As many learners as the baselines had, since there are at least as many rows as baselines.
  if (result.evaluation) result.evaluation.inits = result.evaluation.baselineInits;
  overlay(result, draft);
  result.robustness = RobustnessSpec.fromPartial({
    ...draft.robustness,
    artifactId,
    artifactSha256: createHash("sha256").update(bytes).digest("hex"),
    numSamples: samplesPerBlock(spec.distilled, numClasses),
  });
  return result;
}

/**
 * The model that opening distilled data loads: a name, or a folder, and its word vectors.
 *
 * @throws INVALID for a manifest that names none, NOT_FOUND when there is no manifest
 */
export async function modelOfArtifact(
  artifacts: Pick<ArtifactStore, "read">,
  artifactId: string,
): Promise<ModelSpec> {
  const bytes = await read(artifacts, artifactId);
  try {
    const { name, embeddings } = JSON.parse(bytes.toString("utf8")).model;
    if (typeof name === "string") return withVectors(name, embeddings ?? { name: "", path: "" });
  } catch {
    // Anything but a manifest names no model.
  }
  throw invalid("artifact_id", `the ${MANIFEST} of artifact ${artifactId} names no model`);
}

/** A model and the word vectors that a manifest names beside it. */
function withVectors(name: string, vectors: { name: string; path: string }): ModelSpec {
  const embeddings = String(vectors.name);
  const found = { source: Source.LOCAL, path: String(vectors.path) };
  return ModelSpec.fromPartial({
    name,
    embeddings,
    ...(vectors.path && { embeddingsFound: found }),
  });
}

async function read(artifacts: Pick<ArtifactStore, "read">, artifactId: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of artifacts.read(artifactId, MANIFEST)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parsed(bytes: Buffer, artifactId: string): { spec: ExperimentSpec; numClasses: number } {
  try {
    const manifest = JSON.parse(bytes.toString("utf8"));
    const numClasses = manifest.dataset.class_names.length;
    const spec = ExperimentSpec.fromJSON(manifest.spec);
    if (spec.distilled !== undefined && Number.isInteger(numClasses)) return { spec, numClasses };
  } catch {
    // Anything but a manifest counts as one without settings.
  }
  throw invalid(
    "robustness.artifact_id",
    `the ${MANIFEST} of artifact ${artifactId} does not hold the settings that it was distilled with`,
  );
}
