import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { StillhouseClient } from "../../src/api/client.js";
import { afterwards } from "../fixtures/temporary-folder.js";

const PLANE = fileURLToPath(new URL("../fixtures/plane-process.mjs", import.meta.url));

export interface PlaneProcess {
  readonly child: ChildProcess;
  readonly client: StillhouseClient;
}

/** A control plane that can be killed. */
export async function planeProcess(
  test: TestContext,
  env: NodeJS.ProcessEnv,
  options: object,
): Promise<PlaneProcess> {
  const args = [PLANE, JSON.stringify(options)];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  afterwards(test, () => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  const client = new StillhouseClient({ address: JSON.parse(line).grpc });
  afterwards(test, () => client.close());
  return { child, client };
}
