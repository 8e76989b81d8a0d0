import { FailureKind, fromFailure, StillhouseError, SURFACES, toFailure } from "../errors.js";
import { ExperimentOutput } from "./experiment-output.js";
import { type Member, type Outcome, resolveGroup, runGroup } from "./group-run.js";
import { aborted, type Interruption } from "./interruption.js";
import { type OpenHome, openConnection } from "./open-connection.js";
import type { NamedServer } from "./server-flags.js";
import type { Terminal } from "./terminal.js";

/** What a command that runs a group of experiments needs of the world. */
export interface GroupSurroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly openHome: OpenHome;
  /** Folder that relative paths of the arguments start from. */
  readonly userFolder: string;
  /** Data folder where the arguments name none. */
  readonly dataDir: string | undefined;
  /** Bearer token for a server where the arguments name none. */
  readonly token: string | undefined;
  /** Whether a defect is shown with its place in the code. */
  readonly showsTraces: boolean;
}

/** The flags that all such commands have. */
export interface GroupFlags {
  readonly isDryRun: boolean;
  readonly isFresh: boolean;
  readonly server: NamedServer | undefined;
  readonly maxParallel?: number | undefined;
}

/**
 * Runs a command and shows its failure, if there is one.
 *
 * @param command returns the exit code, 0 when it returns nothing.
 * @returns the exit code.
 */
export async function guarded(
  argv: readonly string[],
  { terminal, showsTraces }: GroupSurroundings,
  command: (output: ExperimentOutput) => Promise<number | undefined>,
): Promise<number> {
  const output = new ExperimentOutput(terminal, argv.includes("--json"));
  try {
    return (await command(output)) ?? 0;
  } catch (thrown) {
    const error = fromFailure(toFailure(thrown));
    output.progress.close();
    output.failure(error, undefined, showsTraces);
    return SURFACES[error.kind].exitCode;
  }
}

/**
 * Runs the members, or lists them where that is all that is asked for.
 *
 * @returns undefined after a list.
 */
export async function runMembers(
  members: readonly Member[],
  flags: GroupFlags,
  { openHome, interruption, terminal }: GroupSurroundings,
  output: ExperimentOutput,
): Promise<Outcome[] | undefined> {
  const { progress } = output;
  const note = (sentence: string) => progress.note(sentence);
  const connection = await openConnection(flags.server, openHome, [], note);
  const { stop, kill } = interruption;
  const killed = aborted(kill).then(() => {
    connection.kill();
    throw interrupted();
  });
  // What is asked for before anything is stored can just be dropped.
  const stopped = aborted(stop).then(() => {
    throw interrupted();
  });
  for (const promise of [killed, stopped]) promise.catch(() => undefined);
  try {
    const options = { connection, progress, stop, ...flags };
    const resolutions = await Promise.race([killed, stopped, resolveGroup(members, options)]);
    const [first] = resolutions;
    if (first !== undefined && !output.isJson) output.subject(first);
    if (!flags.isDryRun) {
      return await Promise.race([killed, runGroup(members, resolutions, options)]);
    }
    const labels = members.map(({ label }) => label);
    if (output.isJson) output.document({ experiments: labels });
    else terminal.stdout.write(`${labels.join("\n")}\n`);
    return undefined;
  } finally {
    progress.close();
    await connection.close();
  }
}

function interrupted(): StillhouseError {
  return new StillhouseError(
    FailureKind.FAILURE_KIND_CANCELLED,
    "interrupted; the same command goes on where it was",
  );
}
