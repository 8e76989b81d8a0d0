// Makes the keys and tokens that the containers of compose.yaml know each other by. What is there
// already is kept.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, rmSync, writeFileSync } from "node:fs";

const KEYS = "/keys";
/** Read by Prometheus, which is another user. */
const ACCESS = "/access";
const TOKEN = `${ACCESS}/token`;

/** @param {string[]} args @returns {string} what the command prints */
function keys(...args) {
  const stdio = /** @type {const} */ (["ignore", "pipe", "inherit"]);
  return execFileSync("node", ["docker/start.mjs", "keys", ...args], { encoding: "utf8", stdio });
}

console.log(keys("--out", KEYS, "--hosts", "control-plane", "--workers", "worker"));
if (!existsSync(TOKEN)) {
  writeFileSync(TOKEN, keys("token", "add", "prometheus", "--role", "read").trim());
}
rmSync(`${ACCESS}/ca.crt`, { force: true }); // read-only since the last start
copyFileSync(`${KEYS}/ca/ca.crt`, `${ACCESS}/ca.crt`);
for (const file of [TOKEN, `${ACCESS}/ca.crt`]) chmodSync(file, 0o444);
