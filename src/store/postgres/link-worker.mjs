import { parentPort, workerData } from "node:worker_threads";
import pg from "pg";
import { isUnanswered } from "./unanswered.mjs";

// Keeps a connection to PostgreSQL for a thread that waits for each answer. A lost connection is made
// again in the background; meanwhile a question is answered with the reason.

/** @typedef {import("./link.js").Question} Question */
/** @typedef {import("./link.js").Answer} Answer */

/** Time for a connection that is being made, before a question is answered without it. */
const GRACE_MS = 250;
const PAUSE_MS = 500;

const { port, answered, connectionString, options } = workerData;
const { INT8, NUMERIC, BYTEA } = pg.types.builtins;

/** @type {pg.Client | undefined} */
let client;
let generation = 0;
let isClosed = false;
/** @type {Map<string, string>} */
const names = new Map();
/** Why there is no connection. @type {Answer["error"]} */
let missing = { message: "there is no connection yet", code: "08003" };
/** The try to connect that is under way. @type {Promise<void>} */
let attempt = Promise.resolve();
connect();

port.on("message", (/** @type {Question} */ question) => {
  if (question.closes) close();
  else answer(question).then((given) => tell({ ...given, id: question.id }));
});

/** @param {Answer & { id: number }} given */
function tell(given) {
  port.postMessage(given);
  Atomics.add(answered, 0, 1);
  Atomics.notify(answered, 0);
}

/** @param {Question} question @returns {Promise<Answer>} */
async function answer(question) {
  if (!client) await (generation === 0 ? attempt : Promise.race([attempt, pause(GRACE_MS)]));
  const current = client;
  if (!current) return { error: missing };
  if (question.generation !== undefined && question.generation !== generation) {
    return { error: { message: "the connection was lost within a transaction", code: "08006" } };
  }
  const asked = generation;
  try {
    const { sql, values } = question;
    const given = await current.query(
      values ? { name: nameOf(sql), text: sql, values: [...values] } : sql,
    );
    const result = Array.isArray(given) ? given.at(-1) : given;
    const { rows, rowCount, command } = result;
    return { rows, changes: rowCount ?? 0, command, generation: asked };
  } catch (error) {
    const told = toldOf(error);
    if (isUnanswered(told)) lose(current, told);
    return { error: told };
  }
}

/** Under which the server keeps a statement. @param {string} sql */
function nameOf(sql) {
  const name = names.get(sql) ?? `s${names.size}`;
  names.set(sql, name);
  return name;
}

async function connect() {
  while (!isClosed && !client) {
    attempt = tryToConnect();
    await attempt;
    if (!client) await pause(PAUSE_MS);
  }
}

async function tryToConnect() {
  const made = new pg.Client({ connectionString, ...options, types: { getTypeParser: parserOf } });
  made.on("error", (error) => lose(made, toldOf(error)));
  try {
    await made.connect();
    client = made;
    generation += 1;
  } catch (error) {
    missing = toldOf(error);
    destroy(made);
  }
}

/** @param {pg.Client} lost @param {Answer["error"]} reason */
function lose(lost, reason) {
  destroy(lost);
  if (client !== lost) return;
  client = undefined;
  missing = reason;
  connect();
}

/** An orderly end would wait for a server that does not answer. @param {pg.Client} made */
function destroy(made) {
  /** @type {{ connection?: { stream?: import("node:net").Socket } }} */ (
    /** @type {unknown} */ (made)
  ).connection?.stream?.destroy();
}

async function close() {
  isClosed = true;
  await client?.end().catch(() => undefined);
  parentPort?.close();
  port.close();
}

/** @param {unknown} error @returns {NonNullable<Answer["error"]>} */
function toldOf(error) {
  const { message, code } = /** @type {Error & { code?: string }} */ (error);
  return { message, code: code ?? "" };
}

/** @param {number} type @param {"text" | "binary"} [format] @returns {(value: any) => any} */
function parserOf(type, format) {
  if (type === INT8 || type === NUMERIC) return Number;
  // Not from Buffer's pool, which would be copied as a whole with each of them.
  if (type === BYTEA) return (text) => new Uint8Array(Buffer.from(text.slice(2), "hex"));
  return pg.types.getTypeParser(type, format);
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
