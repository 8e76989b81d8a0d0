import type { FieldValue } from "./field-path.js";
import { fieldsOf } from "./setting.js";
import { settingOf } from "./settings.js";

/** Of each word of `--baselines`, the field that says whether it runs. */
export const BASELINE_PATHS = fieldsOf(settingOf("baseline.full"));

export const NO_BASELINES: readonly [string, FieldValue][] = BASELINE_PATHS.map((path) => [
  path,
  false,
]);
