import { existsSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import { invalid } from "../../errors.js";
import type { ArtifactFile } from "../../generated/stillhouse/v1/experiment.js";
import { type ExperimentSpec, Source } from "../../generated/stillhouse/v1/spec.js";
import { formatBytes, formatCount } from "../../text/format.js";
import type { Connection } from "../connect/connection.js";
import type { NamedServer } from "../connect/server-flags.js";
import type { ProgressDisplay } from "../progress/progress-display.js";
import { bytesOf, type LocalFolder, type LocalKind, readLocalFolder } from "./local-folder.js";

/** What one call uploads; an interrupted call is the part that is sent again. */
const BATCH_BYTES = 64n << 20n;
const BATCH_FILES = 500;

interface Sending {
  readonly connection: Connection;
  readonly progress: ProgressDisplay;
}

export type SentDraft =
  | { readonly kind: "draft"; readonly draft: ExperimentSpec }
  /** In a dry run: the server does not have all files, so it cannot look at them. */
  | { readonly kind: "missing"; readonly folders: readonly MissingFolder[] };

/** What would be sent. */
export interface MissingFolder {
  readonly path: string;
  readonly files: number;
  readonly bytes: bigint;
}

/** Paths on the server by those of this machine, so that a sweep reads each folder once. */
const sentPaths = new WeakMap<NamedServer, Map<string, string>>();

/**
 * The draft with the paths that its data sets and models have on the server, after what the server
 * does not have has been sent to it. Paths that do not exist here are left as they are.
 *
 * @param isDryRun whether nothing is sent
 * @throws StillhouseError INVALID for files that cannot be sent, or too many of them
 */
export async function sentDraft(
  draft: ExperimentSpec,
  sending: Sending,
  server: NamedServer | undefined,
  isDryRun: boolean,
): Promise<SentDraft> {
  if (server?.sends !== true) return { kind: "draft", draft };
  const known = sentPaths.get(server) ?? new Map<string, string>();
  sentPaths.set(server, known);
  const missing: MissingFolder[] = [];
  const place = async (path: string, kind: LocalKind) => {
    const earlier = known.get(`${kind} ${path}`);
    if (earlier !== undefined) return earlier;
    const sent = await sentPath(await readLocalFolder(path, kind), sending, isDryRun);
    if (typeof sent !== "string") missing.push(sent);
    else known.set(`${kind} ${path}`, sent);
    return typeof sent === "string" ? sent : path;
  };
  const placed = await placedDraft(draft, place);
  return missing.length > 0
    ? { kind: "missing", folders: missing }
    : { kind: "draft", draft: placed };
}

/** As `sentDraft`. @throws StillhouseError INVALID in a dry run of what would be sent first */
export async function requireSent(
  draft: ExperimentSpec,
  sending: Sending,
  server: NamedServer | undefined,
  isDryRun: boolean,
): Promise<ExperimentSpec> {
  const sent = await sentDraft(draft, sending, server, isDryRun);
  if (sent.kind === "draft") return sent.draft;
  const what = sent.folders.map(sentenceOf).join("; ");
  throw invalid(
    "",
    `--dry-run sends nothing, and the server cannot look at what it lacks: ${what}`,
  );
}

/** Such as "/data/mine would be sent: 3 files, 1.2 MB". */
export function sentenceOf({ path, files, bytes }: MissingFolder): string {
  return `${path} would be sent: ${amountOf(files, bytes)}`;
}

function amountOf(files: number, bytes: bigint): string {
  const count = files === 1 ? "1 file" : `${formatCount(files)} files`;
  return `${count}, ${formatBytes(bytes)}`;
}

type Place = (path: string, kind: LocalKind) => Promise<string>;

async function placedDraft(draft: ExperimentSpec, place: Place): Promise<ExperimentSpec> {
  const { dataset, objective, model, robustness } = draft;
  const dataDir = dataset?.dataDir ?? "";
  const data = localPath(dataset?.name, dataDir);
  const source = localPath(objective?.sourceName, objective?.sourceDir || dataDir);
  const words = localPath(model?.embeddings, dataDir);
  const encoder = localPath(model?.name);
  const transferTo = [];
  for (const each of robustness?.transferTo ?? []) {
    const path = localPath(each.name);
    transferTo.push(path ? { ...each, name: await place(path, "model") } : each);
  }
  return {
    ...draft,
    dataset: dataset && {
      ...dataset,
      ...(data && { name: await place(data, "data"), dataDir: undefined, source: Source.LOCAL }),
    },
    objective: objective && {
      ...objective,
      ...(source && { sourceName: await place(source, "data"), sourceDir: undefined }),
    },
    model: model && {
      ...model,
      ...(encoder && { name: await place(encoder, "model") }),
      ...(words && { embeddings: await place(words, "data") }),
    },
    robustness: robustness && { ...robustness, transferTo },
  };
}

/** The path that a name stands for, if something of this machine is there. */
function localPath(name = "", folder = ""): string | undefined {
  if (name === "") return undefined;
  if (!isAbsolute(name) && folder === "") return undefined;
  const path = isAbsolute(name) ? name : join(folder, name);
  return existsSync(path) ? path : undefined;
}

/** Its path on the server, or what would have to be sent in a dry run. */
async function sentPath(
  folder: LocalFolder,
  { connection, progress }: Sending,
  isDryRun: boolean,
): Promise<string | MissingFolder> {
  const facts = folder.files.map(({ facts }) => facts);
  const prepare = (isDry: boolean) =>
    connection.call((client) => client.prepareFolder(facts, isDry));
  const before = await prepare(isDryRun);
  if (before.path !== "") return before.path;
  const missing = filesOf(folder, before.missing);
  const bytes = missing.reduce((sum, { facts: { size } }) => sum + size, 0n);
  if (isDryRun) return { path: folder.path, files: missing.length, bytes };
  const name = `Sending ${basename(folder.path)}`;
  let sent = 0n;
  for (const batch of batchesOf(missing)) {
    progress.work(name, Number(sent), Number(bytes));
    const header = batch.map(({ facts }) => ({ ...facts, name: facts.sha256 }));
    await connection.call((client) => client.uploadFolderFiles(header, bytesOf(batch)));
    sent += batch.reduce((sum, { facts: { size } }) => sum + size, 0n);
  }
  const { path } = await prepare(false);
  progress.work(name, 1, 1);
  if (path === "") throw invalid("", `${folder.path} changed while it was sent; try again`);
  progress.note(`Sent ${folder.path}: ${amountOf(missing.length, bytes)}`);
  return path;
}

/** Of several files with the same content one is sent. */
function filesOf({ files }: LocalFolder, hashes: readonly string[]): LocalFolder["files"] {
  const byHash = new Map(files.map((file) => [file.facts.sha256, file]));
  return hashes.map((sha256) => byHash.get(sha256)).filter((file) => file !== undefined);
}

function* batchesOf<File extends { readonly facts: ArtifactFile }>(
  files: readonly File[],
): Generator<File[]> {
  let batch: File[] = [];
  let bytes = 0n;
  for (const file of files) {
    const isFull = batch.length === BATCH_FILES || bytes + file.facts.size > BATCH_BYTES;
    if (batch.length > 0 && isFull) {
      yield batch;
      batch = [];
      bytes = 0n;
    }
    batch.push(file);
    bytes += file.facts.size;
  }
  if (batch.length > 0) yield batch;
}
