/**
 * Messages as the REST interface gives them: proto names become camelCase, and what has its proto's
 * default is absent. The types follow the generated ones, of which nothing gets into the page.
 */

type Oneof = { $case: string; value: unknown };

type Fields<T> = { readonly [K in keyof T]?: Wire<T[K]> };

/** A message in JSON: 64 bit integers and times as strings, a oneof's member as a field of its own. */
export type Wire<T> = T extends bigint | Date | Uint8Array
  ? string
  : T extends readonly (infer Element)[]
    ? readonly Wire<Element>[]
    : T extends object
      ? "kind" extends keyof T
        ? NonNullable<T["kind"]> extends Oneof
          ? Fields<Omit<T, "kind">> & Members<NonNullable<T["kind"]>>
          : Fields<T>
        : Fields<T>
      : T;

type Members<Kind> = {
  readonly [M in Kind as M extends Oneof ? M["$case"] : never]?: M extends Oneof
    ? Wire<M["value"]>
    : never;
};

/** Fields that are maps: their keys are data, not names. */
const MAPS = new Set(["values", "environment", "versions"]);

/** Gives every object inside the names that TypeScript has for them. */
export function fromWire<T>(json: unknown): Wire<T> {
  return camelised(json) as Wire<T>;
}

function camelised(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(camelised);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => {
      const isMap = MAPS.has(name) && !Array.isArray(value);
      return [camelCase(name), isMap ? value : camelised(value)];
    }),
  );
}

/** `lr_decay` → `lrDecay`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The milliseconds of a time; undefined where there is none. */
export function millis(time: string | undefined): number | undefined {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}
