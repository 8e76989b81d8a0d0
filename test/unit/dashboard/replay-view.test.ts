import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReplayArguments } from "../../../src/cli/replay/replay-arguments.js";
import { experimentView } from "../../../src/dashboard/model/experiment-view.js";
import { repeatingCommand, type SettingView } from "../../../src/dashboard/model/settings-view.js";
import { withTasks } from "../../../src/experiment/domain/record.js";
import { Experiment as PageExperiment } from "../../../src/generated/page/stillhouse/v1/experiment.js";
import { Experiment } from "../../../src/generated/stillhouse/v1/experiment.js";
import { experimentResult } from "../../../src/results/experiment-result.js";
import { resolveSpec } from "../../../src/settings/resolve.js";
import { plannedRecord } from "../../fixtures/experiments.js";
import { DIGITS, distilledAs, ended, replayed, resolvedReplay } from "../../fixtures/replay.js";

const SPEC = resolvedReplay(
  "--tasks split-mnist --seeds 4 --inits 2 --class-order 3,1,0,2 --methods simple,distilled",
);

function pageView() {
  let record = plannedRecord("ex1", SPEC);
  record = ended(record, "distill-1-1", distilledAs("ex1-distill-1-1"));
  record = ended(record, "replay-distilled-1", replayed([1, 2], [[1], [0.5, 0.9]]));
  const tasks = record.tasks.map(({ task }) => task);
  const experiment = { ...withTasks(record), result: experimentResult(SPEC, tasks) };
  return experimentView(PageExperiment.fromJSON(Experiment.toJSON(experiment)));
}

describe("the page of continual learning", () => {
  it("has the figures of its methods, and every distilled memory for itself", () => {
    const view = pageView();
    assert.equal(view.distilled, undefined);
    assert.deepEqual(view.memories, [
      { artifactId: "ex1-distill-1-1", title: "Memory of classes 3, 1, seed 4" },
    ]);
    assert.deepEqual(
      view.replay.map(({ id, accuracy }) => [id, accuracy.mean]),
      [["distilled", 0.7]],
    );
    assert.equal(view.subject, "Continual learning, 2 tasks");
    assert.equal(view.accuracy?.mean, 0.7);
  });

  it("gives the command that runs the same again", () => {
    const settings: SettingView[] = [];
    const command = repeatingCommand(pageView().spec, settings);
    const [, words = ""] = command.split("npm run replay -- ");
    const request = parseReplayArguments(words.split(" "), {
      userFolder: "/",
      dataDir: undefined,
      columns: undefined,
    });
    const { draft } = request.kind === "run" ? request : assert.fail();
    assert.deepEqual(resolveSpec(draft, DIGITS).spec.replay, SPEC.replay);
  });
});
