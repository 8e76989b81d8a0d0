import { fromFailure, SURFACES, toFailure } from "../../errors.js";
import { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { failureDocument } from "../results/result-document.js";
import type { Shape } from "./command.js";
import { fullId, nextCommand, printJson, type Session } from "./session.js";
import { stateWord } from "./state-words.js";

type Change = "cancel" | "resume" | "retry" | "rm";

const argument = "<id...>";

export const CHANGES: Readonly<Record<Change, Shape>> = {
  cancel: {
    name: "cancel",
    argument,
    description: "Stops experiments after a checkpoint; they can be resumed.",
  },
  resume: {
    name: "resume",
    argument,
    description:
      "Continues experiments that were cancelled or have failed, from their checkpoints.",
  },
  retry: {
    name: "retry",
    argument,
    description:
      "Runs experiments that were cancelled or have failed again, without their checkpoints.",
  },
  rm: {
    name: "rm",
    argument,
    description: "Removes ended experiments with everything that only they use.",
  },
};

export function isChange(name: string): name is Change {
  return Object.hasOwn(CHANGES, name);
}

/**
 * The subcommands that change experiments. One that cannot be changed does not keep the others from
 * being so.
 *
 * @returns the exit code: that of the first failure
 */
export async function change(
  session: Session,
  name: Change,
  prefixes: readonly string[],
): Promise<number> {
  let exitCode = 0;
  const documents: unknown[] = [];
  for (const prefix of prefixes) {
    try {
      const id = await fullId(session, prefix);
      const after = await changed(session, name, id);
      documents.push(after === undefined ? { id, removed: true } : Experiment.toJSON(after));
      if (!session.isJson) {
        const word = after === undefined ? "removed" : stateWord(after.state);
        session.terminal.stdout.write(`${id}  ${word}\n`);
      }
    } catch (thrown) {
      const error = fromFailure(toFailure(thrown));
      exitCode ||= SURFACES[error.kind].exitCode;
      documents.push({ id: prefix, ...failureDocument(error) });
      session.note(`${prefix}: ${error.message}`);
    }
  }
  if (session.isJson) printJson(session, { experiments: documents });
  if (session.isIdle && (name === "resume" || name === "retry") && exitCode === 0) {
    session.note("No control plane runs on this home; npm run serve continues queued experiments");
  } else if (name === "cancel" && exitCode === 0) {
    session.note(`Continue it: ${nextCommand(session, `resume ${prefixes.join(" ")}`)}`);
  }
  return exitCode;
}

function changed(
  { connection }: Session,
  name: Change,
  id: string,
): Promise<Experiment | undefined> {
  return connection.call(async (client) => {
    switch (name) {
      case "cancel":
        return client.cancel(id);
      case "resume":
        return client.resume(id);
      case "retry":
        return client.retry(id);
      case "rm":
        await client.delete(id);
        return undefined;
    }
  });
}
