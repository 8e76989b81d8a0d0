import { createHash } from "node:crypto";
import { invalid } from "../errors.js";
import type { ArtifactFile } from "../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";

/** A folder of more files is better sent as one ZIP file of images, or as a table. */
export const MAX_FOLDER_FILES = 20_000;
const MAX_FOLDER_GIB = 32n;
const MAX_NAME_CHARACTERS = 1_000;
const SHA256 = /^[\da-f]{64}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const FORBIDDEN = /[\u0000-\u001f\u007f\\]/;
/** A path into the folder that `ClientFolderStore` makes of an id, in whatever home. */
const IN_FOLDER = /\/folders\/([\da-f]{64})\/content\//;

type FileFacts = Pick<ArtifactFile, "name" | "size" | "sha256">;

/**
 * The identity of a data set or model that a client sends: SHA-256 over the hash, size and name of
 * each file.
 */
export function folderIdOf(files: readonly FileFacts[]): string {
  const hash = createHash("sha256");
  for (const { name, size, sha256 } of files) hash.update(`${sha256} ${size} ${name}\n`);
  return hash.digest("hex");
}

/** Whether a name is of the form of such an identity. */
export function isFolderId(name: string): boolean {
  return SHA256.test(name);
}

/** By the bytes of UTF-8, so that every language has the same order. */
export function byName(a: { name: string }, b: { name: string }): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}

/** The name of the data set or model in its folder. */
export function topOf(files: readonly { name: string }[]): string {
  return files[0]?.name.split("/")[0] ?? "";
}

/**
 * Checks files before anything is written: names that stay in one folder, their order, and how much
 * it is.
 *
 * @throws INVALID with the name and the limit
 */
export function checkFolderFiles(files: readonly FileFacts[]): void {
  checkSizes(files);
  const names = new Set<string>();
  let last: { name: string } | undefined;
  for (const file of files) {
    checkFileName(file.name);
    if (file.name.split("/")[0] !== topOf(files)) {
      throw invalid("folder.files.name", `all files must lie below ${shown(topOf(files))}`);
    }
    if (last && byName(last, file) >= 0) {
      throw invalid(
        "folder.files",
        `files must be in the order of their names, each once; ${shown(file.name)} comes after ${shown(last.name)}`,
      );
    }
    last = file;
    names.add(file.name);
  }
  for (const name of names) {
    for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) {
      if (!names.has(name.slice(0, at))) continue;
      throw invalid("folder.files.name", `${shown(name.slice(0, at))} is both a file and a folder`);
    }
  }
}

/** Checks the number, sizes and hashes. @throws INVALID */
export function checkSizes(files: readonly FileFacts[]): void {
  if (files.length === 0 || files.length > MAX_FOLDER_FILES) {
    throw invalid(
      "folder.files",
      `a data set or model has 1 to ${MAX_FOLDER_FILES} files, got ${files.length}; images may be in one ZIP file`,
    );
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0n);
  if (bytes > MAX_FOLDER_GIB << 30n) {
    throw invalid(
      "folder.files.size",
      `a data set or model has at most ${MAX_FOLDER_GIB} GiB, got ${bytes} bytes`,
    );
  }
  for (const { name, sha256 } of files) {
    if (SHA256.test(sha256)) continue;
    throw invalid(
      "folder.files.sha256",
      `${shown(name)} must have a SHA-256, got ${shown(sha256)}`,
    );
  }
}

/** A relative path with "/", without parts that lead elsewhere. @throws INVALID */
export function checkFileName(name: string): void {
  const parts = name.split("/");
  const isPlain = parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (isPlain && !FORBIDDEN.test(name) && name.length <= MAX_NAME_CHARACTERS) return;
  throw invalid(
    "folder.files.name",
    `a file's name must be a relative path of at most ${MAX_NAME_CHARACTERS} characters without "..", "\\" and control characters, got ${shown(name)}`,
  );
}

/** The folders of clients that a spec names, each once. */
export function clientFoldersOf(spec: ExperimentSpec | undefined): string[] {
  const { dataset, objective, model, robustness } = spec ?? {};
  const paths = [
    `${dataset?.dataDir ?? ""}/`,
    `${objective?.sourceDir ?? ""}/`,
    model?.name ?? "",
    model?.embeddings ?? "",
    model?.embeddingsFound?.path ?? "",
    ...(robustness?.transferTo ?? []).map(({ name }) => name),
  ];
  const ids = paths.map((path) => IN_FOLDER.exec(path)?.[1]);
  return [...new Set(ids.filter((id) => id !== undefined))];
}

function shown(text: string): string {
  return JSON.stringify(text);
}
