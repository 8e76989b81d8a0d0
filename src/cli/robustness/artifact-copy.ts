import { createWriteStream, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Connection } from "../connect/connection.js";
import { artifactOf } from "../results/result.js";
import type { Outcome } from "../run/experiment-runner.js";

/**
 * Does some work with the folder of the distilled data; if it is on another machine, it is
 * downloaded for the duration of the work.
 */
export async function withArtifactFolder<T>(
  { experiment, artifactPath }: Outcome,
  { client }: Pick<Connection, "client">,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  if (existsSync(artifactPath)) return work(artifactPath);
  const artifact = artifactOf(experiment);
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-artifact-"));
  try {
    for (const { name } of artifact?.files ?? []) {
      await pipeline(
        client.download(artifact?.id ?? "", name),
        createWriteStream(join(folder, name)),
      );
    }
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
