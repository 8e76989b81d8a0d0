import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { serverOf, serverWords } from "../../src/cli/connect/server-flags.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { makeKeys } from "../../src/security/keys/make-keys.js";
import { TokenFile } from "../../src/security/token-file.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const SERVER = "plane.example.org:7000";

async function withKeys(test: TestContext): Promise<string> {
  const home = temporaryFolder(test);
  const tokens = new TokenFile(join(home, "tokens.json"));
  const folder = join(home, "keys");
  await makeKeys({ folder, hosts: [], workers: [], tokens, now: new Date() });
  return folder;
}

function refused(options: Record<string, unknown>, message: RegExp, token?: string): void {
  assert.throws(
    () => serverOf(options, { userFolder: "/", token }),
    (error) =>
      error instanceof StillhouseError &&
      error.kind === FailureKind.INVALID &&
      message.test(error.message),
  );
}

test("the flags name files, relative to where the user is", async (t) => {
  const userFolder = await withKeys(t);
  writeFileSync(join(userFolder, "token"), "sth_secret\n");
  const server = serverOf(
    {
      server: SERVER,
      ca: "ca/ca.crt",
      tokenFile: "token",
      cert: "client/tls.crt",
      key: "client/tls.key",
    },
    { userFolder, token: "sth_other" },
  );
  assert.match(server?.endpoint.authority ?? "", /BEGIN CERTIFICATE/);
  assert.match(server?.endpoint.certificate ?? "", /BEGIN CERTIFICATE/);
  assert.match(server?.endpoint.key ?? "", /BEGIN PRIVATE KEY/);
  assert.equal(server?.endpoint.token, "sth_secret");
  const files = "--ca ca/ca.crt --cert client/tls.crt --key client/tls.key --token-file token";
  assert.equal(server?.flags, `--server ${SERVER} ${files}`);
});

test("the token of the environment is for a server that is named, and is never shown", async (t) => {
  const surroundings = { userFolder: await withKeys(t), token: "sth_env" };
  assert.equal(serverOf({}, surroundings), undefined);
  const server = serverOf({ server: SERVER, ca: "ca/ca.crt" }, surroundings);
  assert.equal(server?.endpoint.token, "sth_env");
  assert.ok(!server?.flags.includes("sth_env"));
});

test("the flags can be handed on", () => {
  const options = { server: SERVER, tokenFile: "token", json: true };
  assert.deepEqual(serverWords(options), ["--server", SERVER, "--token-file", "token"]);
  assert.deepEqual(serverWords({ json: true }), []);
});

test("a token is not sent unencrypted, except on this machine", () => {
  refused({ server: SERVER }, /only over TLS.*--ca FILE/, "sth_env");
  assert.ok(serverOf({ server: "127.0.0.1:7" }, { userFolder: "/", token: "sth_env" }));
  assert.ok(serverOf({ server: SERVER }, { userFolder: "/" }));
});

test("flags that do not fit together are refused before anything is done", async (t) => {
  const folder = await withKeys(t);
  const at = (...parts: string[]) => join(folder, ...parts);
  const ca = at("ca", "ca.crt");
  const [cert, key] = [at("client", "tls.crt"), at("client", "tls.key")];
  refused({ ca }, /--ca is for a server/);
  refused({ server: SERVER, ca: at("nothing") }, /--ca: .*nothing does not exist/);
  refused({ server: SERVER, ca, cert }, /both --cert and --key/);
  refused({ server: SERVER, cert, key }, /needs --ca/);
  refused({ server: SERVER, ca, cert, key: at("server", "tls.key") }, /cannot be used/);
  refused({ server: SERVER, ca: cert, tokenFile: ca }, /one word/);
});

test("a path of this machine is sent to another machine, unless the flags say otherwise", () => {
  const sends = (options: Record<string, unknown>) =>
    serverOf({ server: SERVER, ...options }, { userFolder: "/" })?.sends;
  assert.equal(sends({}), true);
  assert.equal(sends({ serverPaths: true }), false);
  for (const server of ["127.0.0.1:8421", "localhost:8421", "[::1]:8421"]) {
    assert.equal(sends({ server }), false, server);
    assert.equal(sends({ server, send: true }), true, server);
  }
  refused({ server: SERVER, send: true, serverPaths: true }, /exclude each other/);
  refused({ send: true }, /--send is for a server/);
});
