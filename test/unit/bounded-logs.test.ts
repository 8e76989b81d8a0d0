import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { processLog } from "../../src/logging/process-log.js";
import { RotatedFile } from "../../src/logging/rotated-file.js";
import { AuditLog } from "../../src/security/audit-log.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const STRANGER = {
  who: "",
  role: "",
  what: "CancelExperiment",
  target: "x",
  from: "10.0.0.9",
  result: "UNAUTHENTICATED",
};

function linesOf(path: string): string[] {
  return readFileSync(path, "utf8").trim().split("\n");
}

/** Resolves when the file has a line that matches. */
async function lineIn(path: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const line = linesOf(path).find((candidate) => pattern.test(candidate));
    if (line !== undefined) return line;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("a log", () => {
  test("is rotated by size and keeps a limited number of files", (test) => {
    const folder = temporaryFolder(test);
    const file = new RotatedFile(join(folder, "a.log"), { maxBytes: 100, maxFiles: 3 });
    for (let number = 100; number < 200; number++) file.append(`line ${number}\n`);
    assert.deepEqual(readdirSync(folder).sort(), ["a.log", "a.log.1", "a.log.2"]);
    for (const name of readdirSync(folder)) assert.ok(statSync(join(folder, name)).size <= 100);
    assert.equal(linesOf(join(folder, "a.log")).at(-1), "line 199");
    const kept = ["a.log.2", "a.log.1", "a.log"].flatMap((name) => linesOf(join(folder, name)));
    assert.deepEqual(
      kept,
      kept.map((_, at) => `line ${200 - kept.length + at}`),
    );
  });

  test("of a process only counts lines beyond the rate limit, and is rotated", async (test) => {
    const path = join(temporaryFolder(test), "logs", "process.log");
    const noted: string[] = [];
    const limits = { maxLines: 10, windowMs: 50, maxBytes: 4_096, maxFiles: 2 };
    const log = processLog(path, false, (sentence) => noted.push(sentence), limits);
    for (let number = 0; number < 1_000; number++) log.warn(`dropped ${number}`);
    assert.equal(noted.length, 10);
    assert.match(await lineIn(path, /more lines/), /… and 990 more lines in 0.05 s/);
  });

  test("of changes only counts strangers beyond the limit, and never drops known callers", async (test) => {
    const path = join(temporaryFolder(test), "audit.log");
    const audit = new AuditLog(path, { error: assert.fail }, 50);
    for (let number = 0; number < 532; number++) audit.record(STRANGER);
    for (let number = 0; number < 100; number++) {
      audit.record({ ...STRANGER, who: "ann", role: "admin", result: "ok" });
    }
    assert.equal(linesOf(path).length, 120);
    const more = JSON.parse(await lineIn(path, /more attempts/));
    assert.equal(more.result, "… and 512 more attempts without a valid token in 0.05 s");
    audit.record(STRANGER);
    assert.equal(linesOf(path).length, 122);
  });
});
