import { z } from "zod";

/** A whole number in decimal notation. */
export function count(min: number, max: number, fallback: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))
    .default(fallback);
}

/** A whole number of 64 bits, as text. */
export const uint64 = z
  .string()
  .regex(/^\d{1,19}$/, "must be a whole number")
  .default("0");

/** A parameter that may come many times. */
export function repeated<Element extends z.ZodType>(element: Element) {
  return z.preprocess(
    (raw) => (raw === undefined || Array.isArray(raw) ? (raw ?? []) : [raw]),
    z.array(element).max(100),
  );
}

export const text = z.string().max(1_000).default("");

/** The names of an enum that a client may use. */
export function named<Values extends Record<string, string>>(values: Values) {
  const names = Object.values(values).filter(
    (name) => name !== "UNRECOGNIZED" && !name.endsWith("_UNSPECIFIED"),
  );
  return z.enum(names as [string, ...string[]]);
}
