import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Inspection, PythonBridge } from "../worker/bridge.js";
import type { Surroundings } from "./surroundings.js";

/** Asks Python one thing, in a process that ends with the answer. */
export function inspectPython(
  surroundings: Surroundings,
  inspection: Inspection,
  request: object,
): Promise<unknown> {
  return withPython(surroundings, (python) => python.ask(inspection, request));
}

/** Python starts at the first question and ends with the work. */
export async function withPython<T>(
  { pythonPath, python }: Surroundings,
  work: (python: PythonBridge) => Promise<T>,
): Promise<T> {
  if (python) return work(python);
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-inspection-"));
  const logPath = join(folder, "python.log");
  const bridge = new PythonBridge({ pythonPath, env: process.env, logPath });
  try {
    return await work(bridge);
  } finally {
    await bridge.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
