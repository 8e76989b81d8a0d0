import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { homePaths } from "../../src/store/home.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";

const TENSORS = "distilled.safetensors";

/** The hash of what an experiment has distilled. */
export function hashOfDistilled(home: string, experimentId: string): string {
  return sha256Of(join(homePaths(home).artifacts, experimentId, TENSORS));
}

/** The hash of what a process distils here by itself, without a control plane. */
export function hashWithoutControlPlane(test: TestContext, spec: ExperimentSpec): string {
  const folder = temporaryFolder(test);
  writeFileSync(join(folder, "spec.json"), JSON.stringify(ExperimentSpec.toJSON(spec)));
  const args = ["-m", "stillhouse_worker", "run", join(folder, "spec.json"), "--work-dir", folder];
  execFileSync(PYTHON, args, { stdio: "pipe" });
  return sha256Of(join(folder, "artifact", TENSORS));
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
