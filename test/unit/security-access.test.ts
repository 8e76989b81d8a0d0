import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { Role } from "../../src/generated/stillhouse/v1/method.js";
import * as services from "../../src/generated/stillhouse/v1/service.js";
import { serviceMethods } from "../../src/messages/methods.js";
import { accessTable, accessTo, requireAccess } from "../../src/security/access.js";
import { UNNAMED } from "../../src/security/identity.js";
import { type Role as NamedRole, reaches } from "../../src/security/role.js";

const PREFIX = "/stillhouse.v1.";

/** The paths of all methods that the protos define. */
function definedMethods(): string[] {
  return Object.entries(services)
    .filter(([name]) => name.endsWith("ServiceService"))
    .flatMap(([, definition]) => Object.values(definition as Record<string, { path: string }>))
    .map(({ path }) => path);
}

const isDenied = (error: unknown) =>
  error instanceof StillhouseError && error.kind === FailureKind.PERMISSION_DENIED;

/** Short names of the methods of our own that a role may call. */
function allowed(role: NamedRole): string[] {
  return definedMethods()
    .filter((method) => {
      try {
        requireAccess({ name: "x", role, authentication: "token" }, method);
        return true;
      } catch (error) {
        if (!isDenied(error)) throw error;
        return false;
      }
    })
    .map((method) => method.slice(method.lastIndexOf("/") + 1));
}

describe("who may call what", () => {
  test("every method of every service is in the table, and its proto gives it a role", () => {
    const rows = [...accessTable().keys()].filter((path) => path.startsWith(PREFIX));
    assert.ok(rows.length >= 19);
    assert.deepEqual(rows.sort(), definedMethods().sort());
    for (const { path, rule, comment } of serviceMethods().values()) {
      assert.ok(rule.role !== Role.UNSPECIFIED && rule.role !== Role.UNRECOGNIZED, path);
      assert.notEqual(comment, "", `${path} has no comment, which describes it on HTTP`);
    }
  });

  test("a method without a row is refused, to an admin too", () => {
    assert.throws(() => requireAccess(UNNAMED, `${PREFIX}ExperimentService/Forget`), isDenied);
    assert.throws(() => accessTo("constructor"), isDenied);
  });

  test("read reads, submit creates and cancels, admin deletes and drains, worker uploads", () => {
    const read = allowed("read");
    const submit = allowed("submit");
    assert.ok(read.includes("WatchExperiment") && read.includes("DownloadArtifact"));
    for (const name of ["CreateExperiment", "CancelExperiment", "ResolveExperiment"]) {
      assert.ok(!read.includes(name) && submit.includes(name), name);
    }
    for (const name of ["DeleteExperiment", "DrainWorker", "UploadArtifact"]) {
      assert.ok(!submit.includes(name) && allowed("admin").includes(name), name);
    }
    const ofWorkers = ["Artifact", "Checkpoint"].flatMap((what) => [
      `Download${what}`,
      `Upload${what}`,
    ]);
    assert.deepEqual(allowed("worker").sort(), [...ofWorkers, "DownloadFolder"].sort());
    assert.equal(allowed("admin").length, definedMethods().length);
  });

  test("calls that change something are audited, calls that only read are not", () => {
    for (const [path, { role, isChange }] of accessTable()) {
      // Checkpoints come every 20 s from each worker, and nothing that a person sees changes.
      const isQuiet =
        /\/(ResolveExperiment|UploadCheckpoint|DownloadCheckpoint|DownloadFolder)$/.test(path);
      assert.equal(Boolean(isChange), role !== "read" && role !== "anyone" && !isQuiet, path);
    }
  });

  test("each role includes the ones before it, except worker", () => {
    assert.ok(
      reaches("admin", "read") && reaches("submit", "submit") && !reaches("read", "submit"),
    );
    assert.ok(!reaches("worker", "read"));
  });
});
