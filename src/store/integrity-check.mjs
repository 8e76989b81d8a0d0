import { setPriority } from "node:os";
import Database from "libsql";

// Checks a database file, table by table, and tells its parent of the first damage.

const BUSY_MS = 5_000;
/** It has all the time that others leave. */
const LOWEST_PRIORITY = 19;

setPriority(LOWEST_PRIORITY);
const [path = ""] = process.argv.slice(2);
const found = firstDamage();
if (found === undefined) process.exit();
process.send?.(found, () => process.exit());

/** @returns {string | undefined} */
function firstDamage() {
  try {
    const file = new Database(path);
    file.pragma(`busy_timeout = ${BUSY_MS}`);
    const names = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'");
    const tables = /** @type {{ name: string }[]} */ (names.all([]));
    for (const { name } of tables) {
      // Its parent has ended.
      if (!process.connected) return undefined;
      const rows = /** @type {object[]} */ (file.pragma(`quick_check('${name}')`));
      const said = String(Object.values(rows[0] ?? {})[0]);
      if (said !== "ok") return said;
    }
    return undefined;
  } catch (error) {
    const { code = "", message } = /** @type {Error & { code?: string }} */ (error);
    // Whatever else is wrong shows where the control plane itself uses the file.
    return /^SQLITE_(CORRUPT|NOTADB)/.test(code) ? message : undefined;
  }
}
