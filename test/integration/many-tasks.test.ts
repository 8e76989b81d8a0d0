import { it } from "node:test";
import { runManyTasks } from "./many-tasks.js";

/** `many-tasks.long.test.ts` runs two thousand. */
it("tiny tasks whose folders are written into are all done, without one refused call", (test) =>
  runManyTasks(test, 5));
