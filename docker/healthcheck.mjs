// Ends with 0 when the control plane in this container takes requests: HEALTHCHECK of its image.
import { get } from "node:http";
import { get as getByTls } from "node:https";

const PORT = 8420;
const TIMEOUT_MS = 4_000;

/** @param {typeof get} ask @returns {Promise<boolean>} */
function isReady(ask) {
  // It asks itself, so whose certificate that is does not matter.
  const options = { host: "127.0.0.1", port: PORT, path: "/readyz", rejectUnauthorized: false };
  return new Promise((resolve) => {
    const request = ask({ ...options, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

process.exitCode = (await isReady(getByTls)) || (await isReady(get)) ? 0 : 1;
