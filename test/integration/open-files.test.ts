import { it } from "../fixtures/waiting.js";
import { surviveIdleConnections } from "./open-files.js";

it("a control plane of 300 open files serves beside 150 idle connections to each port", async (test) => {
  await surviveIdleConnections(test, 300, 150);
});
