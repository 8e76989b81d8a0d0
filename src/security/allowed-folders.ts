import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { permissionDenied, type StillhouseError } from "../errors.js";
import { type ExperimentSpec, Source } from "../generated/stillhouse/v1/spec.js";

/** Folders of this machine below which callers may name data sets and models. */
export interface AllowedFolders {
  readonly data: readonly string[];
  readonly models: readonly string[];
  /** The folder with those that clients have sent: who knows an id may name what has it. */
  readonly sent?: string;
}

export const NO_FOLDERS: AllowedFolders = { data: [], models: [] };

/** The fields of a spec or draft that can name a folder. */
export type PlacesOfSpec = Pick<
  Partial<ExperimentSpec>,
  "dataset" | "objective" | "model" | "robustness"
>;

/**
 * Checks that every folder that a spec names is below an allowed one, after links and ".." are
 * resolved. Names of the hub and of packages are not folders. The answer does not depend on whether
 * a folder outside exists.
 *
 * @throws PERMISSION_DENIED with the field at fault
 */
export function checkPlaces(spec: PlacesOfSpec, allowed: AllowedFolders): void {
  const places = [...placesOfData(spec), ...placesOfEmbeddings(spec), ...placesOfModels(spec)];
  for (const { field, path, kind } of places) {
    if (!isAllowed(path, allowed[kind]) && !isSent(path, allowed.sent))
      throw refused(field, path, kind, allowed[kind]);
  }
}

interface Place {
  readonly field: string;
  readonly path: string;
  readonly kind: "data" | "models";
}

function placesOfData({ dataset, objective }: PlacesOfSpec): Place[] {
  const { name = "", dataDir = "" } = dataset ?? {};
  const { sourceName = "", sourceDir = "" } = objective ?? {};
  return [
    ...placesOfSet(name, dataDir, ["dataset.name", "dataset.data_dir"]),
    // The folder of the data set holds the source unless that has its own.
    ...(sourceName === ""
      ? []
      : placesOfSet(sourceName, sourceDir || dataDir, [
          "objective.source_name",
          "objective.source_dir",
        ])),
  ];
}

function placesOfSet(
  name: string,
  dataDir: string,
  [ofName, ofFolder]: readonly [name: string, folder: string],
): Place[] {
  const place = (field: string, path: string): Place => ({ field, path, kind: "data" });
  const inside = join(dataDir, name);
  const isInside = dataDir !== "" && !saysFolder(name);
  const isFolder = saysFolder(name) || (isThere(resolve(name)) && !(isInside && isThere(inside)));
  return [
    ...(dataDir === "" ? [] : [place(ofFolder, dataDir)]),
    ...(isInside ? [place(ofName, inside)] : []),
    ...(isFolder && name !== "" ? [place(ofName, name)] : []),
  ];
}

/** Word vectors are named by a path, or looked for in the folder of data. */
function placesOfEmbeddings({ dataset, model }: PlacesOfSpec): Place[] {
  const named = { field: "model.embeddings", kind: "data" } as const;
  const { embeddings = "", embeddingsFound } = model ?? {};
  const { dataDir = "" } = dataset ?? {};
  const found = embeddingsFound?.source === Source.LOCAL ? embeddingsFound.path : "";
  const inside = dataDir === "" || embeddings === "" ? "" : join(dataDir, embeddings);
  return [saysFolder(embeddings) ? embeddings : inside, found]
    .filter((path) => path !== "")
    .map((path) => ({ ...named, path }));
}

function placesOfModels({ model, robustness }: PlacesOfSpec): Place[] {
  const named = [
    { field: "model.name", path: model?.name ?? "" },
    ...(robustness?.transferTo ?? []).map(({ name }) => ({
      field: "robustness.transfer_to",
      path: name,
    })),
  ];
  // Python reads a name as a folder if there is a folder of that name.
  return named
    .filter(({ path }) => path !== "" && (saysFolder(path) || isThere(resolve(path))))
    .map((place): Place => ({ ...place, kind: "models" }));
}

/** Whether a name is written as a path. */
function saysFolder(name: string): boolean {
  const parts = name.split(/[\\/]/);
  return isAbsolute(name) || name.startsWith("~") || parts[0] === "." || parts.includes("..");
}

function isAllowed(path: string, folders: readonly string[]): boolean {
  // Only a shell of this machine may expand "~".
  if (path.startsWith("~")) return false;
  const target = realPath(resolve(path));
  return target !== undefined && folders.some((folder) => isWithin(target, realPath(folder)));
}

/** Whether a path leads into a folder that a client has sent, which has a hash as its name. */
function isSent(path: string, root: string | undefined): boolean {
  const target = realPath(resolve(path));
  const ground = root === undefined ? undefined : realPath(root);
  if (target === undefined || ground === undefined) return false;
  return /^[\da-f]{64}\/content(\/|$)/.test(relative(ground, target));
}

function isWithin(target: string, folder: string | undefined): boolean {
  if (folder === undefined) return false;
  const way = relative(folder, target);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/**
 * Where a path leads, even if its end does not exist; undefined for a link that leads nowhere.
 */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    if (isThere(path) || dirname(path) === path) return undefined;
    const parent = realPath(dirname(path));
    return parent === undefined ? undefined : join(parent, basename(path));
  }
}

/** A link counts, wherever it leads. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // For example a file where a folder should be, or a folder that may not be read.
    return false;
  }
}

function refused(
  field: string,
  path: string,
  kind: Place["kind"],
  folders: readonly string[],
): StillhouseError {
  const [flag, names] =
    kind === "data"
      ? ["--data-dir", "what the hub or a package has"]
      : ["--model-dir", "a model of the hub or a package"];
  const where =
    folders.length === 0
      ? `this server allows none (serve ${flag} FOLDER does)`
      : `this server allows those below ${folders.join(", ")} (serve ${flag})`;
  return permissionDenied(
    `${field} names the folder ${JSON.stringify(path)}, and with a token ${where}; name one of those, or ${names}, or send your own with --send`,
    { field },
  );
}
