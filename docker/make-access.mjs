// Makes the keys and tokens that the containers of compose.yaml know each other by. What is there
// already is kept.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, rmSync, writeFileSync } from "node:fs";

const KEYS = "/keys";
/** All that the containers of workers see. */
const WORKER_KEYS = "/worker-keys";
/** Read by Prometheus, which is another user. */
const ACCESS = "/access";
const TOKEN = `${ACCESS}/token`;

/** @param {string[]} args @returns {string} what the command prints */
function keys(...args) {
  const stdio = /** @type {const} */ (["ignore", "pipe", "inherit"]);
  return execFileSync("node", ["docker/start.mjs", "keys", ...args], { encoding: "utf8", stdio });
}

console.log(keys("--out", KEYS, "--hosts", "control-plane", "--workers", "worker"));
cpSync(`${KEYS}/workers/worker`, WORKER_KEYS, { recursive: true });
if (!existsSync(TOKEN)) {
  writeFileSync(TOKEN, keys("token", "add", "prometheus", "--role", "read").trim());
}
rmSync(`${ACCESS}/ca.crt`, { force: true }); // read-only since the last start
copyFileSync(`${KEYS}/ca/ca.crt`, `${ACCESS}/ca.crt`);
for (const file of [TOKEN, `${ACCESS}/ca.crt`]) chmodSync(file, 0o444);
