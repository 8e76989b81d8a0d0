import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  FailureKind,
  fromFailure,
  StillhouseError,
  SURFACES,
  toFailure,
} from "../../src/errors.js";
import { Failure } from "../../src/generated/stillhouse/v1/failure.js";

test("every kind of failure has a gRPC status that gRPC knows", () => {
  for (const kind of Object.values(FailureKind)) {
    assert.ok(status[SURFACES[kind].grpcStatus], `${kind} has no status`);
  }
  assert.equal(SURFACES[FailureKind.INVALID].grpcStatus, status.INVALID_ARGUMENT);
  assert.equal(SURFACES[FailureKind.CONFLICT].grpcStatus, status.FAILED_PRECONDITION);
  assert.equal(SURFACES[FailureKind.UNAVAILABLE].grpcStatus, status.UNAVAILABLE);
  assert.equal(SURFACES[FailureKind.CANCELLED].grpcStatus, status.CANCELLED);
});

test("every kind of failure has an HTTP status of an error", () => {
  const expected: Partial<Record<FailureKind, number>> = {
    [FailureKind.INVALID]: 400,
    [FailureKind.NOT_FOUND]: 404,
    [FailureKind.CONFLICT]: 409,
    [FailureKind.INTERNAL]: 500,
    [FailureKind.UNAVAILABLE]: 503,
  };
  for (const kind of Object.values(FailureKind)) {
    const { httpStatus } = SURFACES[kind];
    assert.ok(httpStatus >= 400 && httpStatus < 600, `${kind} has ${httpStatus}`);
    assert.equal(httpStatus, expected[kind] ?? httpStatus);
  }
});

test("exit codes are 2 for usage, 3 for no server, 130 for cancelled and 1 for all else", () => {
  const special: Partial<Record<FailureKind, number>> = {
    [FailureKind.INVALID]: 2,
    [FailureKind.UNAVAILABLE]: 3,
    [FailureKind.CANCELLED]: 130,
  };
  for (const kind of Object.values(FailureKind)) {
    assert.equal(SURFACES[kind].exitCode, special[kind] ?? 1, kind);
  }
});

test("a failure survives encoding completely, with its cause", () => {
  const cause = new StillhouseError(FailureKind.ENVIRONMENT, "no Python at /x");
  const error = new StillhouseError(FailureKind.WORKER_LOST, "lost 3 times", {
    field: "compute.device",
    retryable: true,
    traceback: "line 1",
    cause,
  });
  const back = fromFailure(Failure.decode(Failure.encode(toFailure(error)).finish()));
  assert.equal(back.kind, error.kind);
  assert.equal(back.message, "lost 3 times");
  assert.equal(back.field, "compute.device");
  assert.equal(back.retryable, true);
  assert.equal(back.traceback, "line 1");
  assert.ok(back.cause instanceof StillhouseError);
  assert.equal(back.cause.message, "no Python at /x");
});

test("any other error than StillhouseError is a defect with its stack", () => {
  const failure = toFailure(new TypeError("x is not a function"));
  assert.equal(failure.kind, FailureKind.INTERNAL);
  assert.equal(failure.message, "x is not a function");
  assert.match(failure.traceback, /errors\.test/);
  assert.equal(toFailure("a string").message, "a string");
});
