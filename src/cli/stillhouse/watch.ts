import { fromFailure, type StillhouseError, unavailable } from "../../errors.js";
import { Event, State } from "../../generated/stillhouse/v1/experiment.js";
import { isEnded, watchExperiment } from "../connect/watch-experiment.js";
import { EventPresenter } from "../progress/event-presenter.js";
import { ExperimentOutput } from "../run/experiment-output.js";
import type { Shape } from "./command.js";
import { foundExperiment, nextCommand, type Session } from "./session.js";

export const WATCH: Shape = {
  name: "watch",
  argument: "<id>",
  description:
    "Follows an experiment to its end and shows its result. Ctrl-C leaves it running. With --json " +
    "every event is one line.",
};

/** The subcommand `watch`. */
export async function watch(session: Session, prefix: string): Promise<number> {
  const { experiment } = await foundExperiment(session, prefix);
  if (session.isIdle && !isEnded(experiment.state)) throw nothingRuns(experiment.id);
  const output = new ExperimentOutput(session.terminal, session.isJson);
  session.atEnd(() => output.progress.close());
  output.resumed(experiment);
  await followed(session, experiment.id, output);
  return concluded(session, experiment.id, output);
}

async function followed(session: Session, id: string, output: ExperimentOutput): Promise<void> {
  const { connection, isJson, terminal } = session;
  const presenter = new EventPresenter(output.progress);
  const watched = { connection, experimentId: id, skipsHistory: !isJson, isStopping: () => true };
  for await (const event of watchExperiment(watched)) {
    if (isJson) terminal.stdout.write(`${JSON.stringify(Event.toJSON(event))}\n`);
    else presenter.show(event);
  }
  output.progress.close();
}

/** The result of what has ended, or its failure. */
async function concluded(session: Session, id: string, output: ExperimentOutput): Promise<number> {
  const { experiment, artifactPath } = await foundExperiment(session, id);
  if (experiment.state === State.SUCCEEDED) {
    if (!session.isJson) output.result(experiment, artifactPath);
    return 0;
  }
  if (experiment.failure !== undefined) throw fromFailure(experiment.failure);
  session.note(
    `Experiment ${id} was cancelled; continue it: ${nextCommand(session, `resume ${id}`)}`,
  );
  return 1;
}

function nothingRuns(id: string): StillhouseError {
  return unavailable(
    `experiment ${id} waits, and no control plane runs on this home; npm run serve continues it`,
  );
}
