import assert from "node:assert/strict";
import { isIPv4 } from "node:net";
import { describe, test } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { CallLimits } from "../../src/security/call-limits.js";
import { addressesFor, hostOf, isLoopback } from "../../src/security/network.js";

const LIMITS = { callsPer10s: 3, refusalsPerMinute: 2, streams: 2 };

const isLimited = (error: unknown) =>
  error instanceof StillhouseError && error.kind === FailureKind.RATE_LIMITED && error.retryable;

describe("limits", () => {
  test("the calls of one token are bounded, without effect on other tokens", async () => {
    const limits = new CallLimits(LIMITS);
    for (let i = 0; i < 3; i++) await limits.countCall("anna");
    await assert.rejects(limits.countCall("anna"), isLimited);
    await limits.countCall("bob");
  });

  test("calls without a valid token are bounded by address", async () => {
    const limits = new CallLimits(LIMITS);
    for (let i = 0; i < 2; i++) await limits.countRefusal("10.0.0.1");
    await assert.rejects(limits.countRefusal("10.0.0.1"), /10\.0\.0\.1.*try again in \d+ s/);
    await limits.countRefusal("10.0.0.2");
    await limits.countCall("10.0.0.1");
  });

  test("a stream counts until it has ended, once", () => {
    const limits = new CallLimits(LIMITS);
    const end = limits.openStream("anna");
    limits.openStream("anna");
    assert.throws(() => limits.openStream("anna"), isLimited);
    limits.openStream("bob");
    end();
    end();
    limits.openStream("anna");
    assert.throws(() => limits.openStream("anna"), isLimited);
  });
});

describe("addresses", () => {
  test("only this machine reaches loopback", () => {
    for (const host of ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"]) {
      assert.ok(isLoopback(host), host);
    }
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", ""]) {
      assert.ok(!isLoopback(host), host);
    }
  });

  test("all addresses of this machine are listed where it serves on all of them", () => {
    assert.deepEqual(addressesFor("127.0.0.1"), []);
    assert.deepEqual(addressesFor("10.0.0.1"), []);
    for (const address of addressesFor("0.0.0.0")) {
      assert.ok(isIPv4(address) && !isLoopback(address), address);
    }
    const all = addressesFor("::");
    assert.ok(addressesFor("0.0.0.0").every((address) => all.includes(address)));
  });

  test("a host is found in an address", () => {
    assert.equal(hostOf("10.0.0.5:90"), "10.0.0.5");
    assert.equal(hostOf("[::1]:90"), "::1");
    assert.equal(hostOf("ipv4:10.0.0.5:90"), "10.0.0.5");
    assert.equal(hostOf("plane.example.org:7700"), "plane.example.org");
    assert.equal(hostOf("unknown"), "unknown");
  });
});
