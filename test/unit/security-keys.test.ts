import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { publicKeysIn, readCurveKey } from "../../src/security/keys/curve-certificate.js";
import { makeKeys } from "../../src/security/keys/make-keys.js";
import { tokenHash } from "../../src/security/token.js";
import { TokenFile } from "../../src/security/token-file.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

function place(test: TestContext) {
  const home = temporaryFolder(test);
  const folder = join(home, "keys");
  const tokens = new TokenFile(join(home, "tokens.json"));
  const make = (hosts: string[] = [], workers = ["gpu-1"]) =>
    makeKeys({ folder, hosts, workers, tokens, now: new Date() });
  const read = (...parts: string[]) => readFileSync(join(folder, ...parts), "utf8");
  return { folder, tokens, make, read };
}

describe("a folder of keys", () => {
  test("has certificates that its authority signed, for the hosts that were named", async (t) => {
    const { make, read } = place(t);
    const { hosts, expires } = await make(["plane.example.org", "10.0.0.5"]);
    const authority = new X509Certificate(read("ca", "ca.crt"));
    const server = new X509Certificate(read("server", "tls.crt"));
    assert.ok(authority.ca && authority.verify(authority.publicKey));
    for (const party of ["server", "client", "workers/gpu-1"]) {
      const own = new X509Certificate(read(party, "tls.crt"));
      assert.ok(own.verify(authority.publicKey) && own.checkIssued(authority) && !own.ca, party);
    }
    assert.ok(server.checkHost("plane.example.org") && server.checkHost("localhost"));
    assert.ok(server.checkIP("10.0.0.5") && server.checkIP("127.0.0.1") && server.checkIP("::1"));
    assert.equal(server.checkHost("other.example.org"), undefined);
    assert.ok(hosts.includes("plane.example.org"));
    assert.ok(expires > new Date() && expires < new Date(authority.validTo));
  });

  test("is readable by its owner alone", async (t) => {
    const { make, folder } = place(t);
    await make();
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
    assert.ok(names.length > 15);
    for (const name of names) {
      const stat = statSync(join(folder, name));
      assert.equal(stat.mode & 0o777, stat.isDirectory() ? 0o700 : 0o600, name);
    }
  });

  test("admits the CURVE keys of its workers, which know the control plane's", async (t) => {
    const { make, read, folder } = place(t);
    await make([], ["a", "b"]);
    const allowed = publicKeysIn(join(folder, "server", "workers"));
    for (const name of ["a", "b"]) {
      const file = `workers/${name}/curve.key_secret`;
      assert.equal(allowed.get(readCurveKey(read(file), "public-key", file)), name);
      const controlPlane = readCurveKey(
        read(`workers/${name}/control-plane.key`),
        "public-key",
        "",
      );
      assert.ok(read("server", "curve.key_secret").includes(controlPlane));
    }
  });

  test("created again, keeps authority, CURVE keys, names and tokens, and adds names and workers", async (t) => {
    const { make, read, tokens } = place(t);
    await make(["one.example.org"]);
    const kept = ["ca/ca.crt", "ca/ca.key", "server/curve.key_secret", "workers/gpu-1/token"];
    const before = kept.map((name) => read(name));
    await make(["two.example.org"], ["gpu-1", "gpu-2"]);
    assert.deepEqual(
      kept.map((name) => read(name)),
      before,
    );
    const server = new X509Certificate(read("server", "tls.crt"));
    assert.ok(server.checkHost("one.example.org") && server.checkHost("two.example.org"));
    assert.deepEqual(
      tokens.read().map(({ name, role }) => [name, role]),
      [
        ["worker-gpu-1", "worker"],
        ["worker-gpu-2", "worker"],
      ],
    );
  });

  test("replaces a worker's token that was removed", async (t) => {
    const { make, read, tokens } = place(t);
    await make();
    const before = read("workers/gpu-1/token");
    tokens.remove("worker-gpu-1");
    await make();
    const after = read("workers/gpu-1/token").trim();
    assert.notEqual(after, before.trim());
    assert.equal(tokens.read()[0]?.sha256, tokenHash(after));
  });
});
