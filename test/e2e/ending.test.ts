import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { isAlive } from "../fixtures/command.js";
import { sendSignal } from "../fixtures/signals.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { PROJECT } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";

/** The exit code of the program when it ends in order. */
const IN_ORDER = 7;

/** Stands in for the server: listens for the same signals, and takes some time to end. */
const PROGRAM = `
import { appendFileSync } from "node:fs";
import { listenForEnd } from "./setup/ending.mjs";
const note = (line) => appendFileSync("notes", line + "\\n");
const parent = process.ppid;
listenForEnd({ env: process.env, script: "serve", parent }, () => {
  note("ending");
  setTimeout(() => { note("ended"); process.exit(${IN_ORDER}); }, 200);
});
process.on("SIGHUP", () => note("hung up"));
let looks = 0;
setInterval(() => {
  // It looks as often as the listener does, and after it.
  if (process.ppid !== parent && ++looks === 2) note("npm is gone");
}, 500);
note(process.pid);
`;

interface Chain {
  readonly npm: ChildProcess;
  readonly program: number;
  readonly exitCode: Promise<number | null>;
  notes(): string[];
}

/** npm, the processes that it starts by package.json, and the program at the end of the chain. */
async function chain(test: TestContext, command = ["npm", "run", "serve"]): Promise<Chain> {
  const folder = realpathSync(temporaryFolder(test));
  mkdirSync(join(folder, "src", "setup"), { recursive: true });
  cpSync(join(PROJECT, "src/setup/ending.mjs"), join(folder, "src/setup/ending.mjs"));
  writeFileSync(join(folder, "src", "program.mjs"), PROGRAM);
  const { scripts } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
  const serve = scripts.serve.replace("src/setup/run.mjs", "src/program.mjs");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ scripts: { serve } }));
  writeFileSync(join(folder, "notes"), "");
  const [file = "", ...args] = command;
  const options = { cwd: folder, stdio: "ignore", detached: true } as const;
  const npm = spawn(file, args, { ...options, env: { ...process.env, _: `/usr/bin/${file}` } });
  const exitCode = new Promise<number | null>((resolve) => npm.once("exit", resolve));
  const notes = () => readFileSync(join(folder, "notes"), "utf8").split("\n").slice(0, -1);
  afterwards(test, () => npm.pid && end(-npm.pid, "SIGKILL"));
  await until(() => notes().length > 0);
  return { npm, program: Number(notes()[0]), exitCode, notes };
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    sendSignal(pid, signal);
  } catch {
    // Every process has ended.
  }
}

describe("a program that npm runs", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`ends in order when npm gets ${signal}; npm waits for it and exits with its code`, async (test) => {
      const { npm, exitCode, notes } = await chain(test);
      npm.kill(signal);
      assert.equal(await exitCode, IN_ORDER);
      assert.equal(notes().at(-1), "ended");
    });
  }

  for (const signal of ["SIGHUP", "SIGKILL"] as const) {
    it(`ends in order after ${signal} has ended npm`, async (test) => {
      const { npm, exitCode, notes, program } = await chain(test);
      npm.kill(signal);
      await exitCode;
      await until(() => !isAlive(program));
      assert.equal(notes().at(-1), "ended");
    });
  }

  it("ends in order at a signal to itself, and npm exits with its code", async (test) => {
    const { program, exitCode } = await chain(test);
    sendSignal(program, "SIGHUP");
    assert.equal(await exitCode, IN_ORDER);
  });

  it("keeps running under nohup when the terminal is closed, until it is told to end", async (test) => {
    const { npm, program, exitCode, notes } = await chain(test, ["nohup", "npm", "run", "serve"]);
    sendSignal(-(npm.pid ?? 0), "SIGHUP");
    await exitCode;
    await until(() => notes().includes("npm is gone"));
    assert.deepEqual(notes().slice(1), ["hung up", "npm is gone"]);
    sendSignal(program, "SIGTERM");
    await until(() => notes().includes("ended"));
  });
});

describe("the scripts of package.json", () => {
  it("leave no shell between npm and the program, which would keep signals to itself", () => {
    const { scripts } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
    for (const [name, line] of Object.entries(scripts)) {
      assert.equal(line, `exec node src/setup/run.mjs ${name}`);
    }
  });
});
