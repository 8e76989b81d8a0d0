import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { RunningCommand } from "../fixtures/command.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const DRY_RUN = [...tinyFlags(tinyDataAndModel()), "--dry-run", "--json"];

/** A folder with a person's modules, named like ours and like those that we import. */
function shadowingModules(test: TestContext): string {
  const folder = temporaryFolder(test);
  for (const name of ["tokenizers", "datasets", "torch", "grpc", "stillhouse_worker", "zmq"]) {
    writeFileSync(join(folder, `${name}.py`), 'raise ImportError("a module of the user")\n');
  }
  mkdirSync(join(folder, "stillhouse"));
  writeFileSync(join(folder, "stillhouse", "__init__.py"), "");
  writeFileSync(join(folder, "startup.py"), 'raise SystemExit("a startup file of the user")\n');
  return folder;
}

/** A proxy that counts connections and closes them. */
async function proxy(test: TestContext): Promise<{ url: string; numAsked: () => number }> {
  let asked = 0;
  const server = createServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterwards(test, () => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { url: `http://127.0.0.1:${address.port}`, numAsked: () => asked };
}

describe("a command in a person's environment", () => {
  it("uses no proxy for itself, and loads no module of the person's PYTHONPATH", async (t) => {
    const { url, numAsked } = await proxy(t);
    const modules = shadowingModules(t);
    const proxies = ["http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
    const env = {
      ...Object.fromEntries(proxies.map((name) => [name, url])),
      no_proxy: "",
      NO_PROXY: "",
      PYTHONPATH: modules,
      PYTHONHOME: modules,
      PYTHONSTARTUP: join(modules, "startup.py"),
      HF_HUB_OFFLINE: "1",
    };
    const command = new RunningCommand(DRY_RUN, temporaryFolder(t), "experiment", env);
    const { exitCode, stdout, stderr } = await command.ended;
    assert.equal(exitCode, 0, stderr);
    assert.ok(JSON.parse(stdout).spec);
    assert.equal(numAsked(), 0);
  });

  it("stops where npm kept its flags, before anything is created", async (t) => {
    const home = join(temporaryFolder(t), "home");
    const env = { npm_lifecycle_event: "experiment", npm_config_dataset: "x", INIT_CWD: home };
    const { exitCode, stderr } = await new RunningCommand([], home, "experiment", env).ended;
    assert.match(stderr, /npm run experiment -- --dataset=x$/m);
    assert.equal(exitCode, 2);
    assert.ok(!existsSync(home));
  });
});
