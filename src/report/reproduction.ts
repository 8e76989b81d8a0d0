import type { Curve } from "./curve-chart.js";
import type { Spread } from "./distribution-chart.js";
import type { Inspected } from "./inspected.js";
import type { Numbers } from "./number-table.js";

/** What a reproduction of the study's tables has found. */
export interface Reproduction {
  readonly subject: string;
  /** The preset, and what differs from it. */
  readonly settings: string;
  readonly tables: readonly ReportedTable[];
  /** What the columns of the tables mean. */
  readonly legend: string;
  /** How long all of it took. */
  readonly time: string;
  /** Of every distillation, each once. */
  readonly distilled: readonly ReportedArtifact[];
  readonly rerun: Rerun;
}

export interface ReportedTable {
  readonly title: string;
  readonly numbers: Numbers;
  /** A sentence for each distillation that failed. */
  readonly failures: readonly string[];
  /** Each row beside those above it; absent where the numbers say as much. */
  readonly differences: Numbers | undefined;
  /** How long it took. */
  readonly time: string;
  readonly spreads: readonly Spread[];
  readonly validationAccuracy: readonly Curve[];
  readonly outerLoss: readonly Curve[];
}

export interface ReportedArtifact {
  readonly label: string;
  /** What it holds, or why that cannot be said. */
  readonly content: Inspected | string;
}

/** What it takes to compute the same again. */
export interface Rerun {
  readonly command: string;
  /** Hash over the worker's code and packages; undefined where another machine's computed. */
  readonly codeVersion: string | undefined;
  readonly environments: readonly Readonly<Record<string, string>>[];
  readonly experiments: readonly {
    readonly label: string;
    /** What runs it by itself. */
    readonly command: string;
    readonly specHash: string;
    /** SHA-256 by file of the distilled data. */
    readonly files: ReadonlyMap<string, string>;
    /** Resolved, as JSON. */
    readonly spec: unknown;
  }[];
}
