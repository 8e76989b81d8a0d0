import {
  type ControlPlaneOptions,
  openHome,
  startControlPlane,
} from "../../../src/control-plane.js";

/**
 * A control plane in a process of its own that is forked, to be measured or killed. Its argument is
 * its options as JSON. It tells its parent the addresses, and what it uses of the processor and of
 * memory whenever it is asked.
 */
const given = JSON.parse(process.argv[2] ?? "{}") as Pick<ControlPlaneOptions, "home"> &
  Partial<ControlPlaneOptions>;
const opened = await openHome(given.home);
if (opened.kind !== "owner") throw new Error("the home has another owner");
const quiet = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
const plane = await startControlPlane({
  lock: opened.lock,
  pythonPath: "/no/such/python",
  env: process.env,
  numWorkers: 0,
  log: quiet,
  ...given,
});
process.on("message", () => {
  // What is left when nothing can be collected any more, where --expose-gc allows to tell.
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send?.({ cpuS: (user + system) / 1e6, rssBytes: rss, heldBytes: heapUsed + external });
});
// A parent that is killed takes it along.
process.on("disconnect", () => process.exit(1));
process.send?.({ grpc: plane.address, zmq: plane.workerAddress, http: plane.httpAddress });
