import { it } from "../fixtures/waiting.js";
import { runManyTasks, TASKS_PER_EXPERIMENT } from "./many-tasks.js";

const NUM_TASKS = 2_000;

it("two thousand tiny tasks are done without a single refused call", (test) =>
  runManyTasks(test, NUM_TASKS / TASKS_PER_EXPERIMENT));
