import type { Event, LogLevel, LogLine } from "../../generated/stillhouse/v1/experiment.js";
import { printable } from "../../text/printable.js";
import { isEnded } from "../connect/watch-experiment.js";
import type { Shape } from "./command.js";
import { foundExperiment, type Session } from "./session.js";

export const LOGS: Shape = {
  name: "logs",
  argument: "<id>",
  description:
    "Prints the messages of the workers about an experiment. With --json every line is one object.",
  flags: [["--follow", "Continue until the experiment ends; Ctrl-C leaves it running"]],
};

/** The subcommand `logs`. */
export async function logs(session: Session, prefix: string, follows: boolean): Promise<number> {
  const { connection, interruption, terminal } = session;
  const { experiment } = await foundExperiment(session, prefix);
  const goesOn = follows && !isEnded(experiment.state) && !session.isIdle;
  for await (const event of connection.client.watch(
    experiment.id,
    0n,
    interruption.stop,
    !goesOn,
  )) {
    if (event.kind?.$case !== "log") continue;
    terminal.stdout.write(
      `${session.isJson ? lineJson(event, event.kind.value) : lineText(event, event.kind.value)}\n`,
    );
  }
  return 0;
}

/** A line as one JSON object, with the ids of what it is of. */
export function lineJson({ experimentId, taskId, time }: Event, line: LogLine): string {
  const { level, message, time: said } = line;
  return JSON.stringify({
    time: (said ?? time)?.toISOString(),
    level: levelWord(level),
    experiment: experimentId,
    task: taskId,
    message,
  });
}

function lineText({ taskId, time }: Event, { level, message, time: said }: LogLine): string {
  const when = (said ?? time)?.toISOString() ?? "";
  const name = taskId.slice(taskId.indexOf("-") + 1);
  return `${when}  ${levelWord(level).padEnd(7)}  ${name.padEnd(9)}  ${printable(message)}`;
}

function levelWord(level: LogLevel): string {
  return level.replace("LOG_LEVEL_", "").toLowerCase();
}
