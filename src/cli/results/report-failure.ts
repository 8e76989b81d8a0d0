import { FailureKind, fromFailure, SURFACES, toFailure } from "../../errors.js";
import { printable } from "../../text/printable.js";
import { colorsOf, type Terminal } from "../terminal/terminal.js";
import { failureDocument } from "./result-document.js";

export interface FailureView {
  /** Whether stdout gets a JSON document. */
  readonly isJson: boolean;
  /** Whether a defect is shown with its place in the code. */
  readonly showsTraces?: boolean;
}

/** Reports why a command failed; returns its exit code. */
export function reportFailure(
  thrown: unknown,
  { stdout, stderr, hasColor }: Terminal,
  { isJson, showsTraces = false }: FailureView,
): number {
  const error = fromFailure(toFailure(thrown));
  // What a person stopped is not an error.
  const isWanted = error.kind === FailureKind.CANCELLED;
  const mark = isWanted ? "" : `${colorsOf(hasColor.stderr).red("Error")} `;
  stderr.write(`${mark}${printable(error.message)}\n`);
  if (showsTraces && error.traceback !== "") stderr.write(`${error.traceback}\n`);
  if (isJson) stdout.write(`${JSON.stringify(failureDocument(error), null, 2)}\n`);
  return SURFACES[error.kind].exitCode;
}
