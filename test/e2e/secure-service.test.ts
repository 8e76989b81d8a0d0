import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeKeys } from "../../src/security/keys/make-keys.js";
import { TokenFile } from "../../src/security/token-file.js";
import { commandLines, RunningCommand } from "../fixtures/command.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it as test } from "../fixtures/waiting.js";

const EVERYWHERE = "--host 0.0.0.0 --grpc-port 0 --worker-port 0 --http-port 0".split(" ");

/** A command that is ended after the test. */
function started(test: TestContext, script: string, args: string[], home: string): RunningCommand {
  const command = new RunningCommand(args, home, script);
  afterwards(test, async () => {
    command.signal("SIGTERM");
    await command.ended;
  });
  return command;
}

async function firstLine(command: RunningCommand): Promise<string> {
  while (!command.stdout.includes("\n")) {
    if (command.child.exitCode !== null) throw new Error(`it ended:\n${command.stderr}`);
    await sleep(20);
  }
  return command.stdout.split("\n")[0] ?? "";
}

/** The content of all files of a folder that are not keys themselves. */
function leftBehind(folder: string): string {
  const files = readdirSync(folder, { withFileTypes: true, recursive: true });
  return files
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\/(keys|session)\//.test(path))
    .map((path) => readFileSync(path, "latin1"))
    .join("\n");
}

test("a worker and a client with keys compute over the network, and leave no secret behind", async (t) => {
  const home = temporaryFolder(t);
  const keys = join(home, "keys");
  const tokens = new TokenFile(join(home, "tokens.json"));
  await makeKeys({ folder: keys, hosts: [], workers: ["gpu"], tokens, now: new Date() });
  const token = tokens.add("anna", "submit", new Date());
  const { dataDir, model } = tinyDataAndModel();
  const options = [
    ...[...EVERYWHERE, "--workers", "0", "--require-client-certificate", "--json"],
    ...["--data-dir", dataDir, "--model-dir", model],
  ];
  const server = started(t, "serve", options, home);
  const ready = JSON.parse(await firstLine(server));
  assert.deepEqual(
    [ready.grpc, ready.workers, ready.http].map((address) => address.replace(/\d+$/, "")),
    ["127.0.0.1:", "tcp://127.0.0.1:", "https://127.0.0.1:"],
  );
  const port = (address: string) => address.slice(address.lastIndexOf(":") + 1);
  const worker = started(
    t,
    "worker",
    [
      ["--connect", `tcp://127.0.0.1:${port(ready.workers)}`, "--device", "cpu"],
      ["--keys", join(keys, "workers", "gpu")],
    ].flat(),
    temporaryFolder(t),
  );
  const tokenFile = join(temporaryFolder(t), "token");
  writeFileSync(tokenFile, `${token}\n`);
  const client = join(keys, "client");
  const run = new RunningCommand(
    [
      [...tinyFlags(tinyDataAndModel()), "--baselines", "none", "--json"],
      ["--inits", "1", "--outer-steps", "3", "--validations", "1"],
      ["--server", `localhost:${port(ready.grpc)}`, "--token-file", tokenFile],
      ["--ca", join(client, "ca.crt")],
      ["--cert", join(client, "tls.crt"), "--key", join(client, "tls.key")],
    ].flat(),
    temporaryFolder(t),
  );
  const workerToken = readFileSync(join(keys, "workers", "gpu", "token"), "utf8").trim();
  const curve = readFileSync(join(keys, "workers", "gpu", "curve.key_secret"), "utf8");
  const [, workerSecret = ""] = /secret-key = "(.*)"/.exec(curve) ?? [];
  const secrets = [token, workerToken, workerSecret];
  while (run.child.exitCode === null) {
    for (const { line } of commandLines())
      for (const secret of secrets) assert.ok(!line.includes(secret), `a secret in ${line}`);
    await sleep(100);
  }
  const { exitCode, stdout, stderr } = await run.ended;
  assert.equal(exitCode, 0, `${stderr}\n${worker.stderr}\n${server.stderr}`);
  const { experiment } = JSON.parse(stdout);
  const audit = readFileSync(join(home, "logs", "audit.log"), "utf8");
  const changes = audit
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    changes.map(({ who, what, result }) => [who, what, result]),
    [
      ["anna", "CreateExperiment", "ok"],
      ["worker-gpu", "UploadArtifact", "ok"],
    ],
    JSON.stringify(experiment),
  );
  server.signal("SIGTERM");
  await server.ended;
  const shown = [leftBehind(home), server.stdout, server.stderr, worker.stderr, stdout, stderr];
  for (const secret of secrets) assert.ok(!shown.join("\n").includes(secret), "a secret was kept");
});
