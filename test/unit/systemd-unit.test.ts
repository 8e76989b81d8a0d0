import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseServeArguments } from "../../src/cli/service/serve-arguments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PROJECT } from "../fixtures/tiny.js";

const UNIT = readFileSync(join(PROJECT, "examples", "stillhouse.service"), "utf8");

function field(name: string): string {
  return new RegExp(`^${name}=(.*)$`, "m").exec(UNIT)?.[1] ?? assert.fail(`${name} is not there`);
}

describe("the unit of systemd", () => {
  it("signals the control plane alone and gives it longer than it waits for checkpoints", () => {
    const places = { home: "/home", userFolder: "/", dataDir: undefined, columns: 80 };
    const serve = parseServeArguments(
      field("ExecStart").split(" serve")[1]?.split(" ").filter(Boolean) ?? [],
      places,
    );
    assert.ok(serve.kind === "serve");
    assert.equal(field("KillMode"), "mixed");
    assert.ok(Number(field("TimeoutStopSec")) * 1_000 >= serve.drainMs + 15_000);
  });

  it("starts the program itself again after a crash, and not after a mistake in its flags", () => {
    assert.match(field("ExecStart"), /^\/\S*node src\/setup\/run\.mjs serve/);
    assert.deepEqual([field("Type"), field("Restart")], ["exec", "on-failure"]);
    assert.equal(field("RestartPreventExitStatus"), "2");
  });

  it("is accepted by systemd", (test) => {
    const folder = temporaryFolder(test);
    const file = join(folder, "stillhouse.service");
    const here = UNIT.replaceAll("/opt/stillhouse", PROJECT.replace(/\/$/, "")).replace(
      "/usr/bin/node",
      process.execPath,
    );
    writeFileSync(file, here);
    const { error, stderr, status } = spawnSync("systemd-analyze", ["verify", file], {
      encoding: "utf8",
    });

    if (error) return test.skip("there is no systemd-analyze here");
    assert.doesNotMatch(stderr, /stillhouse\.service/);
    assert.equal(status, 0, stderr);
  });
});
