import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { Authenticator } from "../../src/security/authenticator.js";
import { isToken, tokenHash } from "../../src/security/token.js";
import { TokenFile } from "../../src/security/token-file.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const NOW = new Date("2026-11-01T00:00:00Z");

function tokenFile(test: TestContext): TokenFile {
  return new TokenFile(join(temporaryFolder(test), "home", "tokens.json"));
}

function failsWith(kind: FailureKind, message: RegExp) {
  return (error: unknown) =>
    error instanceof StillhouseError && error.kind === kind && message.test(error.message);
}

const isRefused = (error: unknown) =>
  error instanceof StillhouseError && error.kind === FailureKind.UNAUTHENTICATED;

describe("the file of tokens", () => {
  test("keeps the hash and never the token, readable by its owner alone", (t) => {
    const file = tokenFile(t);
    const token = file.add("anna", "submit", NOW);
    assert.ok(isToken(token));
    const text = readFileSync(file.path, "utf8");
    assert.ok(!text.includes(token) && !text.includes(token.slice(4)));
    assert.deepEqual(JSON.parse(text).tokens, [
      { name: "anna", role: "submit", sha256: tokenHash(token), created: NOW.toISOString() },
    ]);
    assert.equal(statSync(file.path).mode & 0o777, 0o600);
  });

  test("has no two equal tokens, and no two with the same name", (t) => {
    const file = tokenFile(t);
    const tokens = Array.from({ length: 20 }, (_, i) => file.add(`user-${i}`, "read", NOW));
    assert.equal(new Set(tokens).size, 20);
    assert.throws(
      () => file.add("user-3", "admin", NOW),
      failsWith(FailureKind.CONFLICT, /user-3.*already/),
    );
  });

  test("refuses unreadable names, and the removal of an unknown token", (t) => {
    const file = tokenFile(t);
    for (const name of ["", "a b", "../x", "a\nb", "x".repeat(65)]) {
      assert.throws(() => file.add(name, "read", NOW), failsWith(FailureKind.INVALID, /name/));
    }
    assert.throws(() => file.remove("bob"), failsWith(FailureKind.NOT_FOUND, /bob/));
    assert.equal(file.version(), "");
  });

  test("is changed by one command at a time", (t) => {
    const file = tokenFile(t);
    file.add("anna", "read", NOW);
    writeFileSync(`${file.path}.new`, "");
    assert.throws(() => file.add("bob", "read", NOW), failsWith(FailureKind.CONFLICT, /another/));
    assert.equal(file.read().length, 1);
  });
});

describe("the authenticator", () => {
  test("identifies a caller by the token", (t) => {
    const file = tokenFile(t);
    const token = file.add("anna", "submit", NOW);
    file.add("bob", "admin", NOW);
    const expected = { name: "anna", role: "submit", authentication: "token" };
    const authenticator = new Authenticator(file, true);
    assert.deepEqual(authenticator.identify(`Bearer ${token}`), expected);
    assert.deepEqual(authenticator.identify(`bearer  ${token}`), expected);
  });

  test("refuses everything else, and names no token in its message", (t) => {
    const file = tokenFile(t);
    const token = file.add("anna", "admin", NOW);
    const wrong = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
    const authenticator = new Authenticator(file, false);
    const headers = [
      undefined,
      "",
      token,
      `Basic ${token}`,
      `Bearer ${wrong}`,
      "Bearer",
      "Bearer x",
    ];
    for (const header of [...headers, `Bearer ${token} x`, `Bearer ${tokenHash(token)}`]) {
      assert.throws(
        () => authenticator.identify(header),
        (error) => isRefused(error) && !String(error).includes(token.slice(4, 20)),
      );
    }
  });

  test("is open only where no token is needed and none exists", (t) => {
    const file = tokenFile(t);
    const loopback = new Authenticator(file, false);
    assert.equal(loopback.identify(undefined).authentication, "none");
    assert.throws(() => new Authenticator(file, true).identify(undefined), isRefused);
    file.add("anna", "read", NOW);
    assert.throws(() => loopback.identify(undefined), isRefused);
  });

  test("stays closed without its last token, after a restart, and without its file", (t) => {
    const file = tokenFile(t);
    const running = new Authenticator(file, false);
    const token = file.add("anna", "admin", NOW);
    running.identify(`Bearer ${token}`);
    file.remove("anna");
    const restarted = () => new Authenticator(new TokenFile(file.path), false);
    const isClosed = (error: unknown) =>
      isRefused(error) && /this home has none any more.*token add.*token open/.test(String(error));
    for (const each of [running, restarted()]) {
      assert.throws(() => each.identify(undefined), isClosed);
      assert.throws(() => each.identify(`Bearer ${token}`), isRefused);
    }
    rmSync(file.path);
    for (const each of [running, restarted()]) {
      assert.throws(() => each.identify(undefined), isClosed);
      // Commands on the same home go on.
      assert.equal(each.identify(`Bearer ${each.issue("local", "admin")}`).name, "local");
    }
    file.open();
    for (const each of [running, restarted()]) {
      assert.equal(each.identify(undefined).authentication, "none");
    }
  });

  test("closes a home whose tokens were made by an earlier version, too", (t) => {
    const file = tokenFile(t);
    file.add("anna", "admin", NOW);
    rmSync(join(dirname(file.path), "closed"));
    assert.ok(!new Authenticator(file, false).isOpen);
    file.remove("anna");
    assert.ok(!new Authenticator(file, false).isOpen);
  });

  test("refuses a token from the moment of its removal", (t) => {
    const file = tokenFile(t);
    const token = file.add("anna", "read", NOW);
    const authenticator = new Authenticator(file, true);
    authenticator.identify(`Bearer ${token}`);
    file.add("bob", "read", NOW);
    authenticator.identify(`Bearer ${token}`);
    file.remove("anna");
    assert.throws(() => authenticator.identify(`Bearer ${token}`), isRefused);
  });

  test("refuses everyone while the file is damaged", (t) => {
    const file = tokenFile(t);
    const token = file.add("anna", "admin", NOW);
    const authenticator = new Authenticator(file, false);
    writeFileSync(file.path, "{}");
    const isDamaged = failsWith(FailureKind.ENVIRONMENT, /tokens\.json/);
    assert.throws(() => authenticator.identify(undefined), isDamaged);
    assert.throws(() => authenticator.identify(`Bearer ${token}`), isDamaged);
  });

  test("accepts the tokens of its own session, which no other one accepts", (t) => {
    const file = tokenFile(t);
    const authenticator = new Authenticator(file, true);
    const token = authenticator.issue("this machine", "admin");
    assert.equal(authenticator.identify(`Bearer ${token}`).name, "this machine");
    assert.throws(() => new Authenticator(file, true).identify(`Bearer ${token}`), isRefused);
  });
});
