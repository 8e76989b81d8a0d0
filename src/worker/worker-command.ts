import { pythonModule } from "../setup/python-env.mjs";

/**
 * Python's arguments for a worker that ends with this process, even if this process ends before the
 * worker can check its parent.
 *
 * @param flags of `python -m stillhouse_worker worker`.
 */
export function workerCommand(flags: readonly string[]): string[] {
  return [
    ...pythonModule("stillhouse_worker"),
    "worker",
    ...flags,
    "--parent",
    String(process.pid),
  ];
}
