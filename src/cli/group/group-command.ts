import { cancelled, fromFailure, type StillhouseError, SURFACES, toFailure } from "../../errors.js";
import { requireServer } from "../connect/open-connection.js";
import type { NamedServer } from "../connect/server-flags.js";
import { ExperimentOutput } from "../run/experiment-output.js";
import type { Outcome } from "../run/experiment-runner.js";
import { type Session, type SessionSurroundings, withSession } from "../run/session.js";
import type { Terminal } from "../terminal/terminal.js";
import { resolveGroup, runGroup, type StoredGroup, storeGroup } from "./group-run.js";
import type { Member } from "./group-runner.js";

/** What a command that runs a group of experiments needs of the world. */
export interface GroupSurroundings extends SessionSurroundings {
  readonly terminal: Terminal;
  /** Folder that relative paths of the arguments start from. */
  readonly userFolder: string;
  /** Data folder where the arguments name none. */
  readonly dataDir: string | undefined;
  /** Bearer token for a server where the arguments name none. */
  readonly token: string | undefined;
  /** Whether a defect is shown with its place in the code. */
  readonly showsTraces: boolean;
}

/** The flags that every command of a group has. */
export interface GroupFlags {
  readonly isDryRun: boolean;
  readonly isFresh: boolean;
  /** Whether they are only stored, and left to the control plane. */
  readonly isDetached: boolean;
  readonly server: NamedServer | undefined;
  /** Priority of each member among all experiments of the control plane. */
  readonly priority: number;
  readonly maxParallel?: number | undefined;
  /** The members are stored as a sweep of this name; where absent, each is stored on its own. */
  readonly sweepName?: string | undefined;
  /** A dry run lists the tasks of the only member instead of the members. */
  readonly listsTasks?: boolean;
  /** The members differ only in their seeds, so the settings and tasks of the first one stand for all. */
  readonly isShownAsOne?: boolean;
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

/** See `withSession`; for a command that continues where it was when it is repeated. */
export function withGroupSession<T>(
  flags: GroupFlags,
  surroundings: GroupSurroundings,
  { progress }: ExperimentOutput,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return withSession(flags, surroundings, progress, interrupted, work);
}

/**
 * Runs the members, or lists them for a dry run.
 *
 * @param conclude turns the outcomes into a value while the control plane still runs.
 * @returns undefined after a list.
 */
export function runMembers<T>(
  members: readonly Member[],
  flags: GroupFlags,
  surroundings: GroupSurroundings,
  output: ExperimentOutput,
  conclude: (outcomes: Outcome[], session: Session) => Promise<T>,
): Promise<T | undefined> {
  return withGroupSession(flags, surroundings, output, async (session) => {
    const options = { ...session, ...flags };
    if (flags.isDetached && !flags.isDryRun) requireServer(session.connection);
    const resolutions = await session.untilStopped(resolveGroup(members, options));
    const [first] = resolutions;
    if (first !== undefined && flags.isShownAsOne) {
      output.resolved(first, flags.isDetached && !flags.isDryRun);
    } else if (first !== undefined && !output.isJson) output.subject(first);
    if (flags.isDetached && !flags.isDryRun) {
      leave(members, await storeGroup(resolutions, options), flags, surroundings, output);
      return undefined;
    }
    if (!flags.isDryRun) {
      return conclude(await runGroup(members, resolutions, options), session);
    }
    const labels = members.map(({ label }) => label);
    if ((flags.listsTasks || flags.isShownAsOne) && first !== undefined) {
      output.plan(first, flags.isShownAsOne && labels.length > 1 ? labels : []);
    } else if (output.isJson) output.document({ experiments: labels });
    else surroundings.terminal.stdout.write(`${labels.join("\n")}\n`);
    return undefined;
  });
}

/** They continue without this process; the same command without --detach shows their results. */
function leave(
  members: readonly Member[],
  { ids, sweepId }: StoredGroup,
  { server }: GroupFlags,
  { terminal }: GroupSurroundings,
  output: ExperimentOutput,
): void {
  const stored = ids.map((id, at) => ({ label: members[at]?.label ?? "", experiment_id: id }));
  if (output.isJson) {
    output.document({
      ...(sweepId === undefined ? {} : { sweep_id: sweepId }),
      experiments: stored,
    });
  } else {
    const lines = stored.map(({ label, experiment_id }) => `${experiment_id}  ${label}\n`);
    terminal.stdout.write(lines.join(""));
  }
  const words = sweepId === undefined ? `watch ${ids[0]}` : `ls --sweep ${sweepId}`;
  const flags = server === undefined ? "" : ` ${server.flags}`;
  output.progress.note(`See how it goes: npm run stillhouse -- ${words}${flags}`);
}

function interrupted(): StillhouseError {
  return cancelled("interrupted; the same command continues where it stopped");
}
