import { openHome, startControlPlane } from "../../src/control-plane.js";

/**
 * A control plane in a process of its own, to be killed: HOME PYTHON [WORKER_PORT]. With a port it
 * starts no workers itself.
 */
const [home = "", pythonPath = "", workerPort] = process.argv.slice(2);
const opened = await openHome(home);
if (opened.kind !== "owner") throw new Error("the home has another owner");
const quiet = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
const plane = await startControlPlane({
  home,
  lock: opened.lock,
  pythonPath,
  env: process.env,
  numWorkers: workerPort === undefined ? 1 : 0,
  workerPort: Number(workerPort ?? 0),
  log: quiet,
});
console.log(plane.address);
