import { it } from "../fixtures/waiting.js";
import { runManyTasks } from "./many-tasks.js";

/** `many-tasks.long.test.ts` runs two thousand. */
it("tiny tasks are all done without a refused call, though a process writes into their folders", (test) =>
  runManyTasks(test, 5));
