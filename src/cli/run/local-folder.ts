import { createHash } from "node:crypto";
import { createReadStream, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { invalid } from "../../errors.js";
import type { ArtifactFile } from "../../generated/stillhouse/v1/experiment.js";
import { byName, checkFolderFiles } from "../../settings/client-folder.js";

/** What a folder is read as: of a model, other weights than those that are used are left out. */
export type LocalKind = "data" | "model";

interface LocalFile {
  /** As in the protos: its name begins with that of the folder. */
  readonly facts: ArtifactFile;
  readonly path: string;
}

/** A data set or model of this machine, with the hashes of its files. */
export interface LocalFolder {
  readonly path: string;
  readonly files: readonly LocalFile[];
}

const READ_CHUNK_BYTES = 256 * 1024;
/** As Python reads them: the first that is there. */
const WEIGHTS = ["model.safetensors", "pytorch_model.bin"];
const OTHER_WEIGHTS = /\.(safetensors|bin|pt|pth|ot|h5|msgpack|onnx|ckpt|tflite)$/;
const POOLING = /^[^/]*_Pooling\/config\.json$/;

/**
 * Reads what is to be sent: a file, or the files of a folder that do not begin with a dot. A link to
 * a file inside the folder counts as that file.
 *
 * @throws StillhouseError INVALID for a link that leads elsewhere, too many files or bytes
 */
export async function readLocalFolder(path: string, kind: LocalKind): Promise<LocalFolder> {
  const top = basename(path);
  const names = statSync(path).isFile() ? [""] : ofKind(kind, namesIn(path, path));
  const found = names.map((name) => {
    const file = join(path, name);
    return { name: name === "" ? top : `${top}/${name}`, path: file, size: statSync(file).size };
  });
  found.sort(byName);
  // Before anything is hashed, which may take minutes.
  const sizes = found.map(({ name, size }) => ({ name, size: BigInt(size), sha256: NO_HASH }));
  if (found.length === 0) throw invalid("", `${path} has no files that could be sent`);
  checkFolderFiles(sizes);
  const files: LocalFile[] = [];
  for (const { name, path: file, size } of found) {
    files.push({ facts: { name, size: BigInt(size), sha256: await sha256Of(file) }, path: file });
  }
  return { path, files };
}

const NO_HASH = "0".repeat(64);

/** The bytes of files, one after the other. */
export async function* bytesOf(files: readonly LocalFile[]): AsyncGenerator<Buffer> {
  for (const { path } of files) {
    yield* createReadStream(path, { highWaterMark: READ_CHUNK_BYTES });
  }
}

function namesIn(root: string, folder: string): string[] {
  const names: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) names.push(...namesIn(root, path));
    else if (entry.isFile()) names.push(nameOf(root, path));
    else if (entry.isSymbolicLink()) names.push(linkedName(root, path));
    else throw invalid("", `${path} is neither a file nor a folder and cannot be sent`);
  }
  return names;
}

function linkedName(root: string, path: string): string {
  let target: string | undefined;
  try {
    target = realpathSync(path);
  } catch {
    // It leads nowhere.
  }
  const way = target === undefined ? ".." : relative(realpathSync(root), target);
  const isInside = way !== ".." && !way.startsWith(`..${sep}`);
  if (isInside && target !== undefined && statSync(target).isFile()) return nameOf(root, path);
  throw invalid(
    "",
    `${path} is a link that does not lead to a file in ${root}, so it is not sent; put the file itself there, or use --server-paths`,
  );
}

function nameOf(root: string, path: string): string {
  return relative(root, path).split(sep).join("/");
}

function ofKind(kind: LocalKind, names: readonly string[]): string[] {
  if (kind === "data") return [...names];
  const weights = WEIGHTS.find((name) => names.includes(name));
  return names.filter(
    (name) =>
      name === weights || POOLING.test(name) || (!name.includes("/") && !OTHER_WEIGHTS.test(name)),
  );
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
