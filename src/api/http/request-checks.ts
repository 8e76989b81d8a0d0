import { Ajv2020, type DefinedError } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { z } from "zod";
import type { StillhouseError } from "../../errors.js";
import { invalid } from "../../errors.js";
import { withoutSpec } from "../../settings/field-path.js";
import { shown } from "../../settings/shown.js";
import { suggest } from "../../settings/suggestion.js";
import type { JsonSchema } from "./proto-schema.js";

const LONGEST_SHOWN = 80;

/**
 * Checks the bodies of requests by the schemas of their messages. The generated code alone ignores
 * a field that it does not know, and makes NaN of a text.
 */
export class BodyChecks {
  readonly #ajv = new Ajv2020({ verbose: true, allowUnionTypes: true });

  constructor(schemas: Readonly<Record<string, JsonSchema>>) {
    formats.default(this.#ajv);
    this.#ajv.addVocabulary(["components"]);
    this.#ajv.addSchema({ $id: "body", components: { schemas } });
  }

  /**
   * @param message name of the message that the body should be
   * @throws INVALID that names the first field at fault
   */
  check(message: string, body: unknown): void {
    const validate = this.#ajv.getSchema(`body#/components/schemas/${message}`);
    if (!validate) throw new Error(`there is no schema of ${message}`);
    if (validate(body)) return;
    throw bodyError(validate.errors?.[0] as DefinedError);
  }
}

/** @throws INVALID that names the first parameter at fault */
export function checkQuery<Schema extends z.ZodObject>(
  schema: Schema,
  query: unknown,
): z.infer<Schema> {
  const result = schema.strict().safeParse(query);
  if (result.success) return result.data as z.infer<Schema>;
  const issue = result.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    const [name = ""] = issue.keys;
    throw unknownName("parameter", name, "", Object.keys(schema.shape));
  }
  const field = String(issue?.path[0] ?? "");
  const value = (query as Record<string, unknown>)[field];
  throw invalid(field, `${field}: ${lowerFirst(issue?.message ?? "")}, got ${brief(value)}`);
}

function bodyError(error: DefinedError): StillhouseError {
  const path = withoutSpec(pathOf(error.instancePath));
  if (error.keyword === "additionalProperties") {
    const known = Object.keys((error.parentSchema?.properties ?? {}) as object);
    return unknownName("field", error.params.additionalProperty, pathOf(error.instancePath), known);
  }
  const allowed = allowedBy(error) ?? (error.message ?? "be valid").replace(/^must /, "");
  return invalid(path, `${path || "the body"} must ${allowed}, got ${brief(error.data)}`);
}

function allowedBy(error: DefinedError): string | undefined {
  switch (error.keyword) {
    case "enum":
      return `be one of ${error.params.allowedValues.join(", ")}`;
    case "maxLength":
      return `have at most ${error.params.limit} characters`;
    case "maxItems":
    case "maxProperties":
      return `have at most ${error.params.limit} entries`;
    default:
      return undefined;
  }
}

/** "/draft/inner/lr" → "draft.inner.lr". */
function pathOf(pointer: string): string {
  return pointer.slice(1).replaceAll("/", ".").replaceAll("~1", "/").replaceAll("~0", "~");
}

function unknownName(what: string, name: string, path: string, known: readonly string[]) {
  const full = withoutSpec(path === "" ? name : `${path}.${name}`);
  const meant = suggest(name, known);
  const hint =
    meant === undefined ? `known are ${known.join(", ") || "none"}` : `did you mean ${meant}?`;
  return invalid(full, `there is no ${what} ${shown(full)}; ${hint}`);
}

function brief(value: unknown): string {
  const text = value === undefined ? "nothing" : shown(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
