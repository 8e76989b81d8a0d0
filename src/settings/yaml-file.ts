import { parseDocument } from "yaml";
import { invalid } from "../errors.js";

/**
 * What a YAML or JSON file of a person says; JSON is read as the YAML that it is.
 *
 * @param fileName as messages name it.
 * @throws StillhouseError INVALID for what is neither, and for a key that is there twice.
 */
export function parseYaml(content: string, fileName: string): unknown {
  const document = parseDocument(content, { prettyErrors: true, uniqueKeys: true });
  const broken = document.errors[0] ?? document.warnings[0];
  if (broken !== undefined) {
    const reason = broken.message.split("\n")[0]?.replace(/:$/, "");
    throw invalid("", `${fileName} is not valid YAML or JSON: ${reason}`);
  }
  return readRoot(document, fileName);
}

/**
 * Aliases are refused as an error of the file at a depth where they would fill the memory, and
 * where they refer to something that contains them.
 */
function readRoot(document: ReturnType<typeof parseDocument>, fileName: string): unknown {
  try {
    const root: unknown = document.toJS({ maxAliasCount: 100 });
    if (hasCycle(root)) throw new Error("an alias stands for what it is a part of");
    return root;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid("", `${fileName} is not valid YAML or JSON: ${reason}`);
  }
}

/** @param above what `value` is a part of */
function hasCycle(value: unknown, above: readonly unknown[] = []): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (above.includes(value)) return true;
  return Object.values(value).some((part) => hasCycle(part, [...above, value]));
}
