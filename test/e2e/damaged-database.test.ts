import assert from "node:assert/strict";
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { StillhouseClient } from "../../src/api/client.js";
import { descendants, isAlive, RunningCommand } from "../fixtures/command.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";

/**
 * Overwrites open files, as a bad sector or another program may. The index of the log (-shm) is
 * overwritten too, so that SQLite does not go on with what it has in memory and the next call fails.
 */
function damage(database: string): void {
  for (const path of [database, `${database}-wal`, `${database}-shm`]) {
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(statSync(path).size, 0xa5), 0);
    closeSync(file);
  }
}

describe("serve", () => {
  it("ends with an exit code that a supervisor sees when its database is damaged", async (test) => {
    const home = temporaryFolder(test);
    const flags = ["--grpc-port", "0", "--worker-port", "0", "--http-port", "0", "--workers", "1"];
    const server = new RunningCommand(["--home", home, "--json", ...flags], home, "serve");
    afterwards(test, async () => {
      server.signal("SIGKILL");
      await server.ended;
    });
    await until(() => server.stdout.includes("\n"));
    const client = new StillhouseClient(JSON.parse(server.stdout).grpc);
    afterwards(test, () => client.close());
    const args = [
      ...tinyFlags(tinyDataAndModel()),
      "--baselines",
      "none",
      "--outer-steps",
      "2000",
      "--detach",
    ];
    const target = ["--server", JSON.parse(server.stdout).grpc];
    const created = new RunningCommand([...args, ...target], temporaryFolder(test));
    const { exitCode, stdout, stderr } = await created.ended;
    assert.equal(exitCode, 0, stderr);
    for await (const { kind } of client.watch(stdout.trim(), 0n)) {
      if (kind?.$case === "progress" && kind.value.done > 1n) break;
    }

    const workers = descendants(server.child.pid ?? 0);
    assert.ok(workers.length > 0);

    damage(join(home, "stillhouse.db"));
    const ended = await server.ended;
    assert.notEqual(ended.exitCode, 0);
    assert.notEqual(ended.exitCode, null);
    assert.match(ended.stderr, /stillhouse\.db.*(malformed|damaged)/s);
    await until(() => workers.every((pid) => !isAlive(pid)));
  });
});
