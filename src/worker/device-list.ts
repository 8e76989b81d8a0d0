import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import { environment } from "../errors.js";
import { pythonEnv, pythonModule } from "../setup/python-env.mjs";
import type { Environment } from "./process-group.js";

const devicesSchema = z.array(z.object({ device: z.string(), cuda: z.boolean() }));

/**
 * The devices that get a worker each: all CUDA devices, or the CPU where there are none.
 *
 * @throws ENVIRONMENT when Python cannot be asked
 */
export async function devicesForWorkers(pythonPath: string, env: Environment): Promise<string[]> {
  const args = [...pythonModule("stillhouse_worker"), "devices"];
  try {
    const { stdout } = await promisify(execFile)(pythonPath, args, { env: pythonEnv(env) });
    const devices = devicesSchema.parse(JSON.parse(stdout));
    const cuda = devices.filter((device) => device.cuda);
    return (cuda.length > 0 ? cuda : devices).map(({ device }) => device);
  } catch (error) {
    throw environment(
      `Python cannot be asked for the devices, ${(error as Error).message.trim().split("\n").at(-1)}; name one with --device`,
      { cause: error },
    );
  }
}
