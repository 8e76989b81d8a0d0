import { FailureKind, type StillhouseError } from "../../errors.js";
import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type { ResolveExperimentResponse } from "../../generated/stillhouse/v1/service.js";
import { distilledLabel } from "../../results/spec-labels.js";
import { printable } from "../../text/printable.js";
import { LiveProgress } from "../progress/live-progress.js";
import { PlainProgress } from "../progress/plain-progress.js";
import type { ProgressDisplay } from "../progress/progress-display.js";
import { replayDocument, replayText } from "../results/replay-output.js";
import { failureDocument, planDocument, resultDocument } from "../results/result-document.js";
import { renderResult } from "../results/result-table.js";
import { robustnessDocument, robustnessText } from "../results/robustness-output.js";
import { robustnessResult } from "../results/robustness-result.js";
import { subjectOf } from "../results/subject.js";
import { colorsOf, type Terminal } from "../terminal/terminal.js";
import { renderPlan, renderResolved } from "./resolved-view.js";
import { type MissingFolder, sentenceOf } from "./sent-draft.js";

/** What `experiment` writes, and where: results on stdout, all else on stderr. */
export class ExperimentOutput {
  readonly #terminal: Terminal;
  readonly isJson: boolean;
  readonly progress: ProgressDisplay;

  constructor(terminal: Terminal, isJson: boolean) {
    this.#terminal = terminal;
    this.isJson = isJson;
    this.progress =
      terminal.isLive && !isJson
        ? new LiveProgress(terminal.live)
        : new PlainProgress(terminal.stderr);
  }

  help(text: string): void {
    this.#terminal.stdout.write(text);
  }

  /** @param isAside whether stdout is for something else alone */
  resolved(resolution: ResolveExperimentResponse, isAside: boolean): void {
    const { stdout, stderr, hasColor, columns } = this.#terminal;
    const isOnStderr = this.isJson || isAside;
    const [out, isColored] = isOnStderr ? [stderr, hasColor.stderr] : [stdout, hasColor.stdout];
    out.write(renderResolved(resolution, colorsOf(isColored), columns));
  }

  /** Data set and model, in a line. */
  subject({ spec }: ResolveExperimentResponse): void {
    this.progress.note(subjectOf(spec));
  }

  /** @param times names of the experiments that have these tasks, where they are several */
  plan(resolution: ResolveExperimentResponse, times: readonly string[] = []): void {
    const areSeveral = times.length > 0;
    if (this.isJson) {
      const document = planDocument(resolution);
      this.document(areSeveral ? { ...document, experiments: times } : document);
      return;
    }
    const each = areSeveral ? `The same tasks for each of: ${times.join(", ")}\n` : "";
    this.#terminal.stdout.write(`${renderPlan(resolution)}${each}`);
  }

  /** In a dry run: what the server lacks, without which it cannot resolve anything. */
  wouldSend(folders: readonly MissingFolder[]): void {
    if (this.isJson) {
      const sent = folders.map(({ path, files, bytes }) => ({ path, files, bytes: Number(bytes) }));
      this.document({ would_send: sent });
      return;
    }
    this.#terminal.stdout.write(folders.map((each) => `${sentenceOf(each)}\n`).join(""));
  }

  /** Names an experiment that is continued, in two lines. */
  resumed({ id, spec }: Experiment): void {
    this.progress.note(`Experiment ${id}: ${distilledLabel(spec)}, seed ${spec?.seed}`);
    this.progress.note(subjectOf(spec));
  }

  result(experiment: Experiment, artifactPath: string): void {
    if (experiment.spec?.robustness !== undefined) this.robustness(experiment);
    else if (experiment.spec?.replay !== undefined) this.#replay(experiment);
    else if (this.isJson) this.document(resultDocument(experiment, artifactPath));
    else {
      this.#terminal.stdout.write(
        `\n${renderResult(experiment, artifactPath, this.#terminal.columns)}`,
      );
    }
  }

  /** What the distilled data is under every condition that was measured. */
  robustness(experiment: Experiment): void {
    const result = robustnessResult(experiment);
    if (this.isJson) this.document(robustnessDocument(experiment, result));
    else this.#terminal.stdout.write(robustnessText(experiment, result));
  }

  #replay(experiment: Experiment): void {
    if (this.isJson) this.document(replayDocument(experiment));
    else this.#terminal.stdout.write(`\n${replayText(experiment)}`);
  }

  /** @param showsTrace also where in the code a defect is. */
  failure(error: StillhouseError, experimentId: string | undefined, showsTrace: boolean): void {
    const { stderr, hasColor } = this.#terminal;
    const colors = colorsOf(hasColor.stderr);
    const isWanted = error.kind === FailureKind.CANCELLED;
    stderr.write(`${isWanted ? "" : `${colors.red("Error")} `}${printable(error.message)}\n`);
    if (showsTrace && error.traceback !== "") stderr.write(`${error.traceback}\n`);
    if (this.isJson) this.document(failureDocument(error, experimentId));
  }

  /** One JSON document. */
  document(document: object): void {
    this.#terminal.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  }
}
