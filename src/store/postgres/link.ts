import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import type { SqlValue } from "../sql-database.js";

/** What the thread of the connection is asked. */
export interface Question {
  readonly id: number;
  /** Statements without values may be several; the last one's result is given. */
  readonly sql: string;
  readonly values?: readonly SqlValue[];
  /** Of the connection that must answer, as within a transaction; absent: any. */
  readonly generation?: number | undefined;
  readonly closes?: boolean;
}

/** What went wrong, with a code of PostgreSQL or of the system; empty for neither. */
export interface Fault {
  readonly message: string;
  readonly code: string;
}

export interface Answer {
  readonly rows?: readonly unknown[];
  readonly changes?: number;
  /** Such as COMMIT. */
  readonly command?: string;
  /** Counts connections. */
  readonly generation?: number;
  readonly error?: Fault;
}

export interface LinkOptions {
  readonly connectionString: string;
  /** After which the server ends a transaction whose client does nothing. */
  readonly idleTransactionMs: number;
}

/** Longest that a statement takes before its connection is given up. */
const ANSWER_MS = 15_000;
const CONNECT_MS = 5_000;
/** For the thread to notice itself that a statement takes too long. */
const SLACK_MS = 2_000;

/**
 * A connection to PostgreSQL whose answers are waited for: the domain is synchronous, and the client
 * library is not, so it runs in a thread of its own.
 */
export class PostgresLink {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  #numAsked = 0;
  #isClosed = false;

  constructor({ connectionString, idleTransactionMs }: LinkOptions) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.unref();
    const options = {
      application_name: "stillhouse",
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
      statement_timeout: ANSWER_MS,
      idle_in_transaction_session_timeout: idleTransactionMs,
      keepAlive: true,
    };
    this.#worker = new Worker(new URL("./link-worker.mjs", import.meta.url), {
      workerData: { port: port2, answered: this.#answered, connectionString, options },
      transferList: [port2],
      // It is JavaScript, and needs no loader of the main thread.
      execArgv: [],
    });
    this.#worker.unref();
  }

  /** Never throws: what goes wrong is in the answer. */
  ask(question: Omit<Question, "id">): Answer {
    if (this.#isClosed) return { error: { message: "it is closed", code: "08003" } };
    this.#numAsked += 1;
    const id = this.#numAsked;
    const values = question.values?.map(compact);
    this.#port.postMessage({ ...question, ...(values ? { values } : {}), id });
    const deadlineMs = performance.now() + ANSWER_MS + SLACK_MS;
    for (;;) {
      const seen = Atomics.load(this.#answered, 0);
      const received = receiveMessageOnPort(this.#port);
      // A question that was given up may be answered later.
      if (received?.message.id === id) return received.message;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return { error: { message: "no answer in time", code: "ETIMEDOUT" } };
      if (!received) Atomics.wait(this.#answered, 0, seen, leftMs);
    }
  }

  /** Blocks this thread, as a question does. */
  pause(ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  }

  close(): void {
    this.#isClosed = true;
    this.#port.postMessage({ id: 0, sql: "", closes: true } satisfies Question);
  }
}

/** A part of a larger buffer would be sent as the whole buffer. */
function compact(value: SqlValue): SqlValue {
  if (!(value instanceof Uint8Array)) return value;
  return value.byteLength === value.buffer.byteLength ? value : Uint8Array.from(value);
}
