import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";
import { environment, internal } from "../errors.js";
import type { Inspector, Log } from "../experiment/domain/ports.js";
import {
  BadRows,
  type EmbeddingsFound,
  type ExperimentSpec,
  Source,
} from "../generated/stillhouse/v1/spec.js";
import { badRowsOf } from "../settings/derived.js";
import { type Facts, factsSchema, SOURCES } from "../settings/facts.js";
import { subjectOfPreset } from "../settings/preset-names.js";
import { TEST_FRACTION, VALIDATION_FRACTION } from "../settings/presets.js";
import { pythonEnv, pythonModule } from "../setup/python-env.mjs";
import type { PythonBridge } from "./bridge.js";
import type { Environment } from "./process-group.js";

const downloadsSchema = z.object({
  downloads: z.array(z.string()),
  fetch: z.object({
    dataset: z.string().nullable(),
    model: z.string().nullable(),
    embeddings: z.string().nullable(),
  }),
});

type Downloads = z.infer<typeof downloadsSchema>["fetch"];

export interface PythonInspectorOptions {
  readonly bridge: PythonBridge;
  readonly pythonPath: string;
  readonly env: Environment;
  /** Gets lines about downloads and their progress. */
  readonly log: Log;
}

/** Asks Python about drafts, and has it download what is missing. */
export class PythonInspector implements Inspector {
  readonly #options: PythonInspectorOptions;
  readonly #stop = new AbortController();

  constructor(options: PythonInspectorOptions) {
    this.#options = options;
  }

  async describe(draft: ExperimentSpec): Promise<Facts> {
    const request = requestOf(draft);
    const answer = await this.#options.bridge.ask("describe", request);
    const wanted = downloadsSchema.safeParse(answer);
    if (!wanted.success) return factsOf(answer);
    await this.#fetch(wanted.data.fetch);
    return factsOf(await this.#options.bridge.ask("describe", request));
  }

  inspect(path: string, top: number): Promise<unknown> {
    return this.#options.bridge.ask("artifact", { path, top });
  }

  /** Ends a download that runs. */
  stop(): void {
    this.#stop.abort();
  }

  /** In a process of its own, since a download may take long and the bridge takes one call. */
  async #fetch(wanted: Downloads): Promise<void> {
    const { pythonPath, env, log } = this.#options;
    const args = [...pythonModule("stillhouse_worker"), "fetch"];
    for (const [kind, name] of Object.entries(wanted))
      if (name !== null) args.push(`--${kind}`, name);
    const child = spawn(pythonPath, args, {
      env: pythonEnv(env),
      // Ctrl-C in the terminal reaches this process only, which then ends the download.
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      signal: this.#stop.signal,
    });
    let lastLine = "";
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => {
      if (line.trim() === "") return;
      lastLine = line.trim().replace(/^error: /, "");
      log.info(lastLine);
    });
    const reason = await new Promise<string | undefined>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) =>
        resolve(code === 0 ? undefined : lastLine || `it ended with ${signal ?? code}`),
      );
    });
    if (reason !== undefined) throw downloadFailed(wanted, reason);
  }
}

function requestOf(draft: ExperimentSpec) {
  const subject = subjectOfPreset(draft.preset);
  return {
    dataset: draft.dataset?.name || (subject?.dataset ?? null),
    model: draft.model?.name || (subject?.model ?? null),
    embeddings: draft.model?.embeddings || null,
    embeddings_path: localVectors(draft.model?.embeddingsFound),
    data_dir: draft.dataset?.dataDir || null,
    device: deviceOf(draft),
    ...readingOf(draft.dataset),
  };
}

/** Where word vectors were found on this machine; a package is looked for by its name. */
function localVectors(found: EmbeddingsFound | undefined): string | null {
  return found?.source === Source.LOCAL ? found.path || null : null;
}

/** How the rows of a data set are to be read. */
function readingOf(dataset: ExperimentSpec["dataset"]) {
  return {
    // One that is known to be on this machine is looked for nowhere else.
    source: dataset?.source === Source.LOCAL ? "local" : null,
    text_columns: dataset?.textColumn ? dataset.textColumn.split(",") : null,
    label_column: dataset?.labelColumn || null,
    bad_rows: badRowsBySource(dataset?.badRows ?? BadRows.UNSPECIFIED),
    validation_fraction: dataset?.validationFraction ?? VALIDATION_FRACTION,
    test_fraction: dataset?.testFraction ?? TEST_FRACTION,
  };
}

/** By every source that Python may find: the draft's choice, or what a set of that source gets. */
function badRowsBySource(given: BadRows): Readonly<Record<string, string>> {
  const wordOf = (source: Source) => {
    const badRows = given === BadRows.UNSPECIFIED ? badRowsOf(source) : given;
    return badRows === BadRows.SKIP ? "skip" : "refuse";
  };
  return Object.fromEntries(
    Object.entries(SOURCES).map(([name, source]) => [name, wordOf(source)]),
  );
}

function deviceOf(draft: ExperimentSpec): string | null {
  const device = draft.compute?.device ?? "";
  return device === "" || device === "auto" ? null : device;
}

function factsOf(answer: unknown): Facts {
  const facts = factsSchema.safeParse(answer);
  if (facts.success) return facts.data;
  throw internal(
    `Python returned an invalid description of the draft: ${z.prettifyError(facts.error)}`,
  );
}

function downloadFailed(wanted: Downloads, reason: string) {
  const names = Object.values(wanted)
    .filter((name) => name !== null)
    .join(" and ");
  return environment(`${names} could not be downloaded: ${reason}`, { retryable: true });
}
