// Starts a command in an image: what `npm run` sets up first is in it already.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { runApplication } from "../src/setup/application.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
await runApplication(root, process.argv.slice(2), process.ppid);
