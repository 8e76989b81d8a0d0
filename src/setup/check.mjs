import { spawn } from "node:child_process";
import { join } from "node:path";

import { runForeground } from "./foreground.mjs";
import { pythonEnv } from "./python-env.mjs";

/**
 * @typedef {{ name: string, program: string, args: string[], cwd?: string, fix?: string }} Tool
 */

const FIX = "npm run format repairs what can be repaired automatically";
const NODE_BIN = join("node_modules", ".bin");
const PYTHON_BIN = join(".venv", "bin");
const WORKER = "python_worker";

/** The protos that clients know, as an image of buf. */
const PUBLISHED_PROTOS = join("proto", "published.binpb");

/** @type {Tool[]} */
const CHECKS = [
  {
    name: "TypeScript format and lint",
    program: join(NODE_BIN, "biome"),
    args: ["check"],
    fix: FIX,
  },
  { name: "TypeScript types", program: join(NODE_BIN, "tsc"), args: ["--noEmit"] },
  {
    name: "Types of the dashboard",
    program: join(NODE_BIN, "tsc"),
    args: ["--noEmit", "-p", join("src", "dashboard")],
  },
  {
    name: "Python lint",
    program: join(PYTHON_BIN, "ruff"),
    args: ["check"],
    cwd: WORKER,
    fix: FIX,
  },
  {
    name: "Python format",
    program: join(PYTHON_BIN, "ruff"),
    args: ["format", "--check"],
    cwd: WORKER,
    fix: FIX,
  },
  { name: "Python types", program: join(PYTHON_BIN, "mypy"), args: [], cwd: WORKER },
  { name: "Proto lint", program: join(NODE_BIN, "buf"), args: ["lint"] },
  {
    name: "Proto compatibility",
    program: join(NODE_BIN, "buf"),
    args: ["breaking", "--against", PUBLISHED_PROTOS],
    fix: "Published protos grow only by new fields and methods; see proto/README.md",
  },
  {
    name: "Import rules",
    program: process.execPath,
    args: [
      "--import",
      "tsx",
      "--test",
      "--test-reporter=spec",
      join("test", "unit", "imports.test.ts"),
    ],
  },
];

/** @type {Tool[]} */
const FORMATTERS = [
  { name: "TypeScript", program: join(NODE_BIN, "biome"), args: ["check", "--write"] },
  { name: "Python", program: join(PYTHON_BIN, "ruff"), args: ["check", "--fix-only"], cwd: WORKER },
  { name: "Python", program: join(PYTHON_BIN, "ruff"), args: ["format"], cwd: WORKER },
  {
    name: "Protos",
    program: join(NODE_BIN, "buf"),
    args: ["format", "--write", "--exclude-path", "proto/google"],
  },
];

/**
 * Runs every check, also after one has failed, with one line each.
 *
 * @param {string} root
 * @returns {Promise<number>} 0 when all passed
 */
export async function runChecks(root) {
  let failed = 0;
  // All at once, so that the quick ones are done while mypy runs.
  const running = CHECKS.map((check) => ({ check, result: capture(root, check) }));
  for (const { check, result } of running) {
    const { exitCode, output, seconds } = await result;
    const verdict = exitCode === 0 ? "✓" : "✗";
    console.log(`${verdict} ${check.name} (${seconds.toFixed(1)} s)`);
    if (exitCode === 0) continue;
    failed += 1;
    console.log(`\n${output.trimEnd()}\n${check.fix ? `\n${check.fix}\n` : ""}`);
  }
  if (failed > 0) console.log(`${failed} of ${CHECKS.length} checks failed`);
  return failed > 0 ? 1 : 0;
}

/**
 * Formats both languages in place.
 *
 * @param {string} root
 * @returns {Promise<number>}
 */
export async function runFormat(root) {
  const exitCodes = [];
  for (const { program, args, cwd = "." } of FORMATTERS) {
    exitCodes.push(
      await runForeground(join(root, program), args, {
        cwd: join(root, cwd),
        env: pythonEnv(process.env),
      }),
    );
  }
  return exitCodes.find((code) => code !== 0) ?? 0;
}

/**
 * @param {string} root
 * @param {Tool} tool
 * @returns {Promise<{ exitCode: number, output: string, seconds: number }>}
 */
function capture(root, { program, args, cwd = "." }) {
  const startMs = Date.now();
  return new Promise((resolve, reject) => {
    const path = program === process.execPath ? program : join(root, program);
    const child = spawn(path, args, {
      cwd: join(root, cwd),
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...pythonEnv(process.env), ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}) },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ exitCode: code ?? 1, output, seconds: (Date.now() - startMs) / 1000 });
    });
  });
}
