import { pythonModule } from "../setup/python-env.mjs";

/**
 * Arguments of Python for a worker that ends with this process, also where this one is gone before
 * the worker can look whose child it is.
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
