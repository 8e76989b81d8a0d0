import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseWorkerArguments } from "../../../src/cli/service/worker-arguments.js";
import { workerCommand } from "../../../src/dashboard/model/worker-view.js";

const PLACES = { home: "/home", dataDir: undefined, userFolder: "/", columns: 80 };

describe("what the page advises where there is no worker", () => {
  for (const [protocol, hostname] of [
    ["http:", "127.0.0.1"],
    ["http:", "[::1]"],
    ["https:", "stillhouse.example.org"],
  ] as const) {
    it(`is a command that the command line accepts (${protocol}//${hostname})`, () => {
      const command = workerCommand({ protocol, hostname });
      const [npm, run, script, dashes, ...args] = command.split(" ");
      assert.deepEqual([npm, run, script, dashes], ["npm", "run", "worker", "--"]);
      const request = parseWorkerArguments(args, PLACES);
      assert.ok(request.kind === "work");
      assert.equal(request.connect, `tcp://${hostname}:8422`);
      assert.equal(request.keys, protocol === "https:" ? "/FOLDER" : undefined);
    });
  }
});
