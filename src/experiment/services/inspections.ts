import { noSuch } from "../../errors.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { emptySpec } from "../../settings/field-path.js";
import { modelOfArtifact } from "../domain/artifact-draft.js";
import type { Inspector } from "../domain/ports.js";
import type { ArtifactStore, ExperimentStore } from "../domain/storage-ports.js";

/** Answers that are kept; one takes some 100 KB, and seconds to make. */
const MAX_KEPT = 32;

/** Inspections of distilled data, each computed by Python once. */
export class Inspections {
  readonly #store: Pick<ExperimentStore, "findArtifact">;
  readonly #artifacts: Pick<ArtifactStore, "exists" | "pathOf" | "read">;
  readonly #inspector: Pick<Inspector, "inspect">;
  /** By what the files hold and the number of tokens; the latest last. */
  readonly #answers = new Map<string, Promise<unknown>>();

  constructor(
    store: Pick<ExperimentStore, "findArtifact">,
    artifacts: Pick<ArtifactStore, "exists" | "pathOf" | "read">,
    inspector: Pick<Inspector, "inspect">,
  ) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.#inspector = inspector;
  }

  /**
   * The nearest tokens, labels, attention and rates of distilled data.
   *
   * @param top nearest tokens per position
   * @param mayName throws where the caller may not name the folder of the artifact's model
   * @throws NOT_FOUND when there is no such artifact
   */
  async inspect(
    artifactId: string,
    top: number,
    mayName?: (spec: ExperimentSpec) => void,
  ): Promise<unknown> {
    const artifact = this.#store.findArtifact(artifactId);
    if (!artifact || !this.#artifacts.exists(artifactId)) throw noSuch("artifact", artifactId);
    if (mayName) {
      const model = await modelOfArtifact(this.#artifacts, artifactId);
      mayName({ ...emptySpec(), model });
    }
    const key = [top, ...artifact.files.map(({ sha256 }) => sha256)].join(" ");
    const known = this.#answers.get(key);
    const answer = known ?? this.#inspector.inspect(this.#artifacts.pathOf(artifactId), top);
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    // A failed inspection may succeed the next time.
    answer.catch(() => this.#answers.delete(key));
    const [oldest = ""] = this.#answers.keys();
    if (this.#answers.size > MAX_KEPT) this.#answers.delete(oldest);
    return answer;
  }
}
