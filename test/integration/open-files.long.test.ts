import { it } from "../fixtures/waiting.js";
import { surviveIdleConnections } from "./open-files.js";

it("a control plane of 1,024 open files serves beside 1,300 idle connections to each port", async (test) => {
  await surviveIdleConnections(test, 1_024, 1_300);
});
