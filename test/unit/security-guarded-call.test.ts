import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { AuditLog } from "../../src/security/audit-log.js";
import { Authenticator } from "../../src/security/authenticator.js";
import { CallLimits } from "../../src/security/call-limits.js";
import { GuardedCall } from "../../src/security/guarded-call.js";
import { TokenFile } from "../../src/security/token-file.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const SERVICE = "/stillhouse.v1.ExperimentService";

function parts(test: TestContext) {
  const folder = temporaryFolder(test);
  const file = new TokenFile(join(folder, "tokens.json"));
  const path = join(folder, "audit.log");
  writeFileSync(path, "");
  const errors: string[] = [];
  const security = {
    authenticator: new Authenticator(file, true),
    limits: new CallLimits({ callsPer10s: 100, refusalsPerMinute: 2, streams: 1 }),
    audit: new AuditLog(path, { error: (message) => errors.push(message) }),
  };
  const bearer = (role: "read" | "submit") => `Bearer ${file.add(role, role, new Date())}`;
  const lines = () =>
    readFileSync(path, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const call = (name: string) =>
    new GuardedCall(security, { method: `${SERVICE}/${name}`, from: "10.0.0.7" });
  return { call, bearer, lines };
}

const withKind = (kind: FailureKind) => (error: unknown) =>
  error instanceof StillhouseError && error.kind === kind;

describe("a guarded call", () => {
  test("that changes something writes one audit line: who, what, from where, result", async (t) => {
    const { call, bearer, lines } = parts(t);
    const cancel = call("CancelExperiment");
    await cancel.admit(bearer("submit"), false);
    cancel.about({ experimentId: "e1" });
    cancel.end();
    cancel.end(new Error("too late"));
    const [{ time, ...line }, ...more] = lines();
    assert.deepEqual(more, []);
    assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000);
    assert.deepEqual(line, {
      who: "submit",
      role: "submit",
      what: "CancelExperiment",
      target: "e1",
      from: "10.0.0.7",
      result: "ok",
    });
  });

  test("that fails or is refused writes a line with the reason, a read writes none", async (t) => {
    const { call, bearer, lines } = parts(t);
    const token = bearer("read");
    const cancel = call("CancelExperiment");
    await assert.rejects(
      cancel.admit(token, false).catch((error) => {
        cancel.end(error);
        throw error;
      }),
      withKind(FailureKind.PERMISSION_DENIED),
    );
    const get = call("GetExperiment");
    await get.admit(token, false);
    get.end();
    assert.deepEqual(
      lines().map(({ who, what, result }) => [who, what, result]),
      [["read", "CancelExperiment", "PERMISSION_DENIED"]],
    );
  });

  test("without a valid token is refused, and after several attempts without a check", async (t) => {
    const { call } = parts(t);
    const unauthenticated = withKind(FailureKind.UNAUTHENTICATED);
    await assert.rejects(call("GetExperiment").admit(undefined, false), unauthenticated);
    await assert.rejects(call("GetExperiment").admit("Bearer x", false), unauthenticated);
    const limited = withKind(FailureKind.RATE_LIMITED);
    await assert.rejects(call("GetExperiment").admit(undefined, false), limited);
  });

  test("counts as an open stream until its end", async (t) => {
    const { call, bearer } = parts(t);
    const token = bearer("read");
    const first = call("WatchExperiment");
    await first.admit(token, true);
    const limited = withKind(FailureKind.RATE_LIMITED);
    await assert.rejects(call("WatchExperiment").admit(token, true), limited);
    first.end();
    await call("WatchExperiment").admit(token, true);
  });
});
