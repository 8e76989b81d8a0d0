import type { Curve } from "./curve-chart.js";
import type { Spread } from "./distribution-chart.js";
import type { Inspected } from "./inspected.js";
import type { Numbers } from "./number-table.js";
import type { SamplePoint } from "./samples-chart.js";

/** The results of a reproduction of published tables. */
export interface Reproduction {
  readonly title: string;
  readonly subject: string;
  /** The preset, and the differences to it. */
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
  /** Where the figures of another work are from, and what differs from its runs. */
  readonly published: readonly string[];
  /** Rows of distilled data over their number of samples; empty where they do not differ in it. */
  readonly overSamples: readonly SamplePoint[];
  /** Each row compared with those above it; absent where the numbers already say it. */
  readonly differences: Numbers | undefined;
  /** How long it took. */
  readonly time: string;
  readonly spreads: readonly Spread[];
  readonly validationAccuracy: readonly Curve[];
  readonly outerLoss: readonly Curve[];
}

export interface ReportedArtifact {
  readonly label: string;
  /** Its content, or why it could not be read. */
  readonly content: Inspected | string;
}

/** Everything needed to compute the same again. */
export interface Rerun {
  readonly command: string;
  /**
   * Hash over the worker's code and packages; undefined where another machine computed the results.
   */
  readonly codeVersion: string | undefined;
  readonly environments: readonly Readonly<Record<string, string>>[];
  readonly experiments: readonly {
    readonly label: string;
    /** The command that runs it alone. */
    readonly command: string;
    readonly specHash: string;
    /** SHA-256 of each file of the distilled data. */
    readonly files: ReadonlyMap<string, string>;
    /** Resolved, as JSON. */
    readonly spec: unknown;
  }[];
}
