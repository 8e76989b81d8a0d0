import { reportFailure } from "../results/report-failure.js";
import { type Colors, colorsOf, type Terminal } from "../terminal/terminal.js";
import { wrapText } from "../terminal/wrap-text.js";
import { parseDoctorArguments } from "./doctor-arguments.js";
import {
  type Check,
  checkControlPlane,
  checkHome,
  checkNode,
  checkOpenFiles,
  checkPython,
} from "./doctor-checks.js";
import { checkSeat, type StartSeatTrial } from "./doctor-seat.js";

export interface DoctorSurroundings {
  readonly terminal: Terminal;
  /** Such as "20.11.0". */
  readonly nodeVersion: string;
  /** Files that a process of Node may have open. */
  readonly openFiles: number;
  /** Folder of experiments and artifacts. */
  readonly home: string;
  /** Address of the control plane that has the home; undefined where none runs. */
  readonly runningAt: () => Promise<string | undefined>;
  /** The answer of `inspection.system`. */
  readonly inspectPython: () => Promise<unknown>;
  readonly startSeatTrial: StartSeatTrial;
}

/** A mark and a space before the name, two spaces after it. */
const MARK_COLUMNS = 4;
const MARKS = { ok: "✓", warning: "!", error: "✗" } as const;

/**
 * The command `doctor`: what is installed, what can be reached, and how to repair what is wrong.
 *
 * @param argv what follows the command's name.
 * @returns the exit code: 1 when an experiment could not run.
 */
export async function runDoctor(
  argv: readonly string[],
  surroundings: DoctorSurroundings,
): Promise<number> {
  const { stdout, hasColor, columns } = surroundings.terminal;
  const isJson = argv.includes("--json");
  try {
    const request = parseDoctorArguments(argv, columns);
    if (request.kind === "help") {
      stdout.write(request.text);
      return 0;
    }
    const checks = await allChecks(surroundings);
    if (request.seat) {
      const note = (sentence: string) => surroundings.terminal.stderr.write(`${sentence}\n`);
      checks.push(...(await checkSeat(request.seat, surroundings.startSeatTrial, note)));
    }
    const isWell = checks.every((check) => check.status !== "error");
    stdout.write(
      isJson
        ? `${JSON.stringify({ ok: isWell, checks }, null, 2)}\n`
        : renderChecks(checks, colorsOf(hasColor.stdout), columns),
    );
    return isWell ? 0 : 1;
  } catch (thrown) {
    return reportFailure(thrown, surroundings.terminal, { isJson });
  }
}

async function allChecks(surroundings: DoctorSurroundings): Promise<Check[]> {
  const { nodeVersion, openFiles, home, runningAt, inspectPython } = surroundings;
  const homeCheck = await checkHome(home);
  const planeCheck = await checkControlPlane(runningAt);
  const pythonChecks = await checkPython(inspectPython);
  const machine = [checkNode(nodeVersion), checkOpenFiles(openFiles)];
  return [...machine, homeCheck, planeCheck, ...pythonChecks];
}

/**
 * The checks as lines, each remedy below what it is for.
 *
 * @param columns width of a line; undefined where lines may be long.
 */
export function renderChecks(
  checks: readonly Check[],
  colors: Colors,
  columns: number | undefined,
): string {
  const indent = Math.max(...checks.map((check) => check.name.length)) + MARK_COLUMNS;
  const wrapped = (text: string) => wrapText(text, columns ?? Number.POSITIVE_INFINITY, indent);
  const paint = { ok: colors.green, warning: colors.yellow, error: colors.red };
  return checks
    .map(({ name, status, detail, remedy }) => {
      const start = `${paint[status](MARKS[status])} ${name.padEnd(indent - MARK_COLUMNS)}  `;
      const line = `${start}${wrapped(detail)}\n`;
      return remedy === "" ? line : `${line}${" ".repeat(indent)}${wrapped(`→ ${remedy}`)}\n`;
    })
    .join("");
}
