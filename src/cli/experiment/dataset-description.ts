import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { invalid } from "../../errors.js";
import {
  type DatasetFound,
  type ExperimentSpec,
  Source,
} from "../../generated/stillhouse/v1/spec.js";

const FILE = "dataset.json";

/**
 * Writes what was recognised about a folder of rows into it, where it can be read and corrected.
 *
 * @param spec resolved
 * @returns the path of the file
 * @throws StillhouseError INVALID where the data set is no folder, or has such a file
 */
export function writeDatasetDescription({ dataset }: ExperimentSpec): string {
  const { name = "", dataDir = "", source, found } = dataset ?? {};
  const folder = join(dataDir, name);
  if (source !== Source.LOCAL || found === undefined || !isFolder(folder)) {
    throw refused(`describes a local folder, and ${name} is not one`);
  }
  const description = found.image ? imageDescription(found) : textDescription(found);
  const path = join(folder, FILE);
  try {
    writeFileSync(path, `${JSON.stringify(description, null, 2)}\n`, { flag: "wx" });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw refused(code === "EEXIST" ? `found ${path}; leave the flag out` : `failed: ${message}`);
  }
  return path;
}

function textDescription({ classNames, textColumns, labelColumn }: DatasetFound) {
  return { labels: classNames, text_columns: textColumns, label_column: labelColumn };
}

function imageDescription({ classNames, textColumns, labelColumn, image }: DatasetFound) {
  const [column] = textColumns;
  const columns = column === undefined ? {} : { image_column: column, label_column: labelColumn };
  return { modality: "image", labels: classNames, ...image, ...columns };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function refused(reason: string) {
  return invalid("dataset.name", `--write-dataset-json ${reason}`);
}
