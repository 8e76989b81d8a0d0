import { createHash } from "node:crypto";
import { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";

/**
 * SHA-256, in hexadecimal, of what determines the result: the canonical bytes of a resolved spec
 * without its name.
 *
 * The bytes are canonical since the encoder writes fields in the order of their numbers, a spec has
 * no maps, and a resolved one has every field set.
 */
export function specHash(spec: ExperimentSpec): string {
  const bytes = ExperimentSpec.encode({ ...spec, name: undefined }).finish();
  return createHash("sha256").update(bytes).digest("hex");
}
