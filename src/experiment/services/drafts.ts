import { notFound } from "../../errors.js";
import type { ResolveExperimentRequest } from "../../generated/stillhouse/v1/service.js";
import { type ExperimentSpec, ModelSpec } from "../../generated/stillhouse/v1/spec.js";
import { withDatasetPath } from "../../settings/dataset-path.js";
import type { Facts } from "../../settings/facts.js";
import { isAdaptation, sourceDraft, withPresetObjective } from "../../settings/objective.js";
import { resolveSpec } from "../../settings/resolve.js";
import { validateDraft } from "../../settings/validate.js";
import { draftOfArtifact } from "../domain/artifact-draft.js";
import type { Inspector } from "../domain/ports.js";
import { artifactOf } from "../domain/record.js";
import { given } from "../domain/request-checks.js";
import type { ArtifactStore } from "../domain/storage-ports.js";
import { requireFewTasks } from "../domain/task-limits.js";
import { deviceKind } from "../scheduling/device-needs.js";
import type { Ledger } from "../scheduling/ledger.js";
import { Seating, type SeatingParts } from "../scheduling/seating.js";

export interface DraftsParts extends SeatingParts {
  readonly ledger: Ledger;
  readonly artifacts: ArtifactStore;
  readonly inspector: Inspector;
}

/** Resolves drafts to specs. */
export class Drafts {
  readonly #parts: DraftsParts;

  constructor(parts: DraftsParts) {
    this.#parts = parts;
  }

  /** @param mayName throws where the caller may not name a folder of the draft or its manifest */
  async resolve(
    request: ResolveExperimentRequest,
    mayName?: (spec: ExperimentSpec) => void,
  ): Promise<ReturnType<typeof resolveSpec>> {
    const draft = given(request.draft, "draft");
    const named = draft.robustness === undefined ? draft : await this.#ofArtifact(draft);
    const own = withPresetObjective(withDatasetPath(named));
    validateDraft(own);
    mayName?.(own);
    const facts = this.#withFleet(await this.#parts.inspector.describe(own));
    const transfers = await this.#describeTransfers(own);
    const resolved = resolveSpec(own, facts, transfers, await this.#describeSource(own));
    requireFewTasks(resolved.spec);
    return resolved;
  }

  /**
   * The draft with the settings of the artifact that it evaluates, which may be named by its
   * experiment.
   */
  #ofArtifact(draft: ExperimentSpec): Promise<ExperimentSpec> {
    const { artifacts, ledger } = this.#parts;
    const named = draft.robustness?.artifactId ?? "";
    if (named !== "" && artifacts.exists(named)) return draftOfArtifact(artifacts, named, draft);
    const artifactId = artifactOf(ledger.record(named));
    if (artifactId !== undefined && artifacts.exists(artifactId)) {
      return draftOfArtifact(artifacts, artifactId, draft);
    }
    throw notFound(`experiment ${named} has no distilled data`, {
      field: "robustness.artifact_id",
    });
  }

  /** The devices of all workers together may be more than this machine has. */
  #withFleet(facts: Facts): Facts {
    const { device } = facts;
    const { numSeats } = new Seating(deviceKind(device.device), this.#parts);
    const most = Math.max(device.num_available, numSeats);
    return { ...facts, device: { ...device, num_available: most } };
  }

  async #describeSource(draft: ExperimentSpec): Promise<Facts["dataset"] | undefined> {
    if (!isAdaptation(draft) || !draft.objective?.sourceName) return undefined;
    return (await this.#parts.inspector.describe(sourceDraft(draft))).dataset;
  }

  async #describeTransfers(draft: ExperimentSpec): Promise<Facts["model"][]> {
    const found = [];
    for (const { name } of draft.robustness?.transferTo ?? []) {
      const model = ModelSpec.fromPartial({ name });
      found.push((await this.#parts.inspector.describe({ ...draft, model })).model);
    }
    return found;
  }
}
