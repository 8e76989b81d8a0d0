import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { environment, FailureKind, StillhouseError, unavailable } from "../errors.js";
import { logTail } from "./log-tail.js";
import { type Environment, ProcessGroup } from "./process-group.js";

/** The questions to Python; each takes JSON and returns `{"ok": ...}` or `{"failure": ...}`. */
export type Inspection = "describe" | "system" | "artifact" | "suggest";

export interface PythonBridgeOptions {
  readonly pythonPath: string;
  readonly env: Environment;
  /** Receives what Python prints, which would otherwise break the terminal's progress. */
  readonly logPath: string;
  /** Time that one call may take; default: `CALL_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /** Python is ended after this long without a question, since PyTorch holds much memory. */
  readonly idleMs?: number;
}

/** The part of pythonia's Bridge that is used. */
interface PythoniaBridge {
  makePyObject(ffid: number): {
    python(module: string): Promise<Record<string, (...args: unknown[]) => Promise<unknown>>>;
  };
  end(): void;
}

/** What pythonia's Bridge needs to reach Python, as its own IpcPipeCom offers it. */
interface PythoniaTransport {
  write(message: object, onAnswer?: (answer: Answer) => unknown): void;
  writeRaw(message: string, id: number, onAnswer: (answer: Answer) => unknown): void;
  register(id: string | number, onAnswer: (answer: Answer) => unknown): void;
}

interface Answer {
  r?: number;
  key?: string;
  val?: unknown;
  sig?: string;
}

/** Marks an answer that represents an exception of Python. */
const EXCEPTION = "\u0000exception\u0000";
const MODULE = "stillhouse_worker.inspection";
const STOP_GRACE_MS = 2_000;
/** For the first import of PyTorch on a slow disk, a large data set, or long distilled samples. */
const CALL_TIMEOUT_MS = 600_000;
const IDLE_MS = 60_000;

/**
 * Short questions to a Python process, one at a time.
 *
 * It uses pythonia's Bridge over a process of its own and not pythonia's front door, which starts
 * Python at import with the terminal as its output, finds it through a variable of process.env,
 * loses the text of exceptions, and notices a Python that died only at a timeout.
 */
export class PythonBridge {
  readonly #options: PythonBridgeOptions;
  #python: RunningPython | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #isStopped = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: PythonBridgeOptions) {
    this.#options = options;
  }

  /**
   * Calls a function of the worker's inspection module; Python is started if it does not run.
   *
   * @returns the value under "ok"
   * @throws the failure that Python returns, ENVIRONMENT when Python cannot be asked, or
   *   UNAVAILABLE when the bridge is being stopped
   */
  ask(inspection: Inspection, request: object): Promise<unknown> {
    const answer = this.#last.then(() => this.#ask(inspection, JSON.stringify(request)));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends Python; calls that wait for it fail. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    await this.#python?.stop();
  }

  kill(): void {
    this.#isStopped = true;
    this.#python?.kill();
  }

  async #ask(inspection: Inspection, request: string): Promise<unknown> {
    if (this.#isStopped) throw stopping();
    clearTimeout(this.#idle);
    if (this.#python === undefined || this.#python.hasEnded) {
      this.#python = new RunningPython(this.#options);
    }
    const python = this.#python;
    try {
      return okOf(await python.call(inspection, request));
    } catch (error) {
      throw this.#isStopped ? stopping() : error;
    } finally {
      this.#idle = setTimeout(() => python.stop(), this.#options.idleMs ?? IDLE_MS).unref();
    }
  }
}

/** One Python process with pythonia's interface in it. */
class RunningPython {
  readonly #options: PythonBridgeOptions;
  readonly #process: ProcessGroup;
  readonly #bridge: PythoniaBridge;
  readonly #died: Promise<never>;
  #reason: string | undefined;

  constructor(options: PythonBridgeOptions) {
    this.#options = options;
    const require = createRequire(import.meta.url);
    // pythonia does not export these two, which are both in one folder of the package.
    const folder = dirname(require.resolve("pythonia"));
    const { Bridge } = require(join(folder, "Bridge.js")) as {
      Bridge: new (transport: PythoniaTransport) => PythoniaBridge;
    };
    const args = [join(folder, "interface.py")];
    this.#process = new ProcessGroup(options.pythonPath, args, options.env, options.logPath, true);
    const transport = new ProcessTransport(this.#process);
    // Only while somebody waits for it may it keep Node alive.
    this.#process.child.unref();
    this.#process.child.channel?.unref();
    this.#bridge = new Bridge(transport);
    // Its timer for garbage would keep Node alive; a few small objects in Python may stay.
    this.#bridge.end();
    this.#died = this.#process.ended.then((reason) => {
      this.#reason ??= reason;
      transport.failAll();
      throw unusable(this.#reason, logTail(options.logPath));
    });
    this.#died.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#reason !== undefined;
  }

  async call(inspection: Inspection, request: string): Promise<string> {
    const { timeoutMs = CALL_TIMEOUT_MS } = this.#options;
    this.#process.child.ref();
    const timer = setTimeout(() => {
      this.#reason ??= `it gave no answer within ${timeoutMs / 1000} s`;
      this.kill();
    }, timeoutMs);
    try {
      return await Promise.race([this.#answer(inspection, request), this.#died]);
    } finally {
      clearTimeout(timer);
      this.#process.child.unref();
    }
  }

  async stop(): Promise<void> {
    this.#reason ??= "it was stopped";
    this.#process.child.ref();
    await this.#process.stop(STOP_GRACE_MS);
  }

  kill(): void {
    this.#process.signal("SIGKILL");
  }

  async #answer(inspection: Inspection, request: string): Promise<string> {
    const module = await this.#bridge.makePyObject(0).python(MODULE);
    if (typeof module === "string") throw exceptionOf(module);
    // The $ lets the last argument carry pythonia's own options; the time limit is ours.
    const ask = module[`${inspection}$`];
    if (!ask) throw new Error("a proxy of pythonia answers to every name");
    const answer = await ask(request, { $timeout: Number.POSITIVE_INFINITY });
    if (typeof answer !== "string")
      throw new Error(`${inspection} answered with something else than text`);
    if (answer.startsWith(EXCEPTION)) throw exceptionOf(answer);
    return answer;
  }
}

/** Carries pythonia's messages over Node's channel to the process. */
class ProcessTransport implements PythoniaTransport {
  readonly #process: ProcessGroup;
  readonly #handlers = new Map<string | number, (answer: Answer) => unknown>();

  constructor(process: ProcessGroup) {
    this.#process = process;
    process.child.on("message", (answer: Answer) => this.#receive(answer));
  }

  write(message: object & { r?: number }, onAnswer?: (answer: Answer) => unknown): void {
    if (onAnswer && message.r !== undefined) this.register(message.r, onAnswer);
    this.#process.child.send(message);
  }

  writeRaw(message: string, id: number, onAnswer: (answer: Answer) => unknown): void {
    this.register(id, onAnswer);
    this.#process.child.send(JSON.parse(message));
  }

  register(id: string | number, onAnswer: (answer: Answer) => unknown): void {
    this.#handlers.set(id, onAnswer);
  }

  /** Answers whatever still waits, so that no timer of pythonia's is left running. */
  failAll(): void {
    for (const r of this.#handlers.keys()) {
      if (typeof r === "number") this.#receive({ r, key: "error", sig: "Python has ended" });
    }
  }

  #receive(answer: Answer): void {
    const handler = answer.r === undefined ? undefined : this.#handlers.get(answer.r);
    if (!handler || answer.r === undefined) return;
    // pythonia turns an exception into an error without a message, and may print meanwhile.
    const shown =
      answer.key === "error" ? { ...answer, key: "string", val: EXCEPTION + answer.sig } : answer;
    // A handler that returns true waits for another answer under the same number.
    if (handler(shown) !== true) this.#handlers.delete(answer.r);
  }
}

function okOf(text: string): unknown {
  const answer = JSON.parse(text) as { ok?: unknown; failure?: Record<string, unknown> };
  if (answer.failure === undefined) return answer.ok;
  const { kind, message, field } = answer.failure;
  throw new StillhouseError(kindOf(String(kind)), String(message), { field: String(field ?? "") });
}

/** Python names kinds by their bare words, such as "not_found". */
function kindOf(word: string): FailureKind {
  const name = `FAILURE_KIND_${word.toUpperCase()}`;
  return Object.values(FailureKind).find((kind) => kind === name) ?? FailureKind.INTERNAL;
}

function stopping(): StillhouseError {
  return unavailable("Python is no longer asked because the control plane is stopping");
}

function exceptionOf(answer: string): StillhouseError {
  const traceback = answer.slice(EXCEPTION.length).trim();
  return unusable(traceback.split("\n").at(-1) ?? "", traceback);
}

function unusable(reason: string, traceback: string): StillhouseError {
  const lastLine = traceback.trim().split("\n").at(-1) ?? "";
  const detail = lastLine === "" || lastLine === reason ? reason : `${reason}: ${lastLine}`;
  return environment(
    `Python cannot be asked, ${detail}; run the command again: it sets the environment up`,
    { traceback },
  );
}
