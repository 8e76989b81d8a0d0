import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runKeys } from "../../src/cli/service/keys.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { AuditLog } from "../../src/security/audit-log.js";
import { TokenFile } from "../../src/security/token-file.js";
import { makeHome } from "../../src/store/home.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

function place(test: TestContext) {
  const paths = makeHome(temporaryFolder(test));
  const tokens = new TokenFile(paths.tokens);
  const keys = async (...argv: string[]) => {
    const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
    const exitCode = await runKeys(argv, {
      terminal: terminalOf(stdout, stderr, {}),
      home: paths.home,
      userFolder: paths.home,
      openHome: (home) => {
        const opened = makeHome(home);
        const audit = new AuditLog(opened.audit, { error: assert.fail });
        return { tokens: new TokenFile(opened.tokens), audit };
      },
      account: "me",
      ask: async () => answers.shift(),
    });
    return { exitCode, stdout: stdout.text, stderr: stderr.text };
  };
  const answers: string[] = [];
  const audit = () => readFileSync(paths.audit, "utf8");
  return { answers, keys, paths, tokens, audit };
}

test("a token is the only thing on stdout, so that it can go into a file", async (t) => {
  const { keys, audit, tokens } = place(t);
  const { exitCode, stdout, stderr } = await keys("token", "add", "anna", "--role", "submit");
  assert.equal(exitCode, 0);
  assert.match(stdout, /^sth_[\w-]{43}\n$/);
  assert.match(stderr, /token of anna, with the role submit\. It is not shown again/);
  assert.ok(!audit().includes(stdout.trim()));
  const { time, ...line } = JSON.parse(audit());
  assert.ok(time !== "");
  assert.deepEqual(line, {
    who: "me",
    role: "",
    what: "token add",
    target: "anna",
    from: "shell",
    result: "ok",
  });
  const { stdout: list } = await keys("token", "ls");
  assert.match(list, /^name +role +created\nanna +submit +\d{4}-\d\d-\d\d\n$/);
  assert.equal((await keys("token", "rm", "anna")).exitCode, 0);
  assert.deepEqual(tokens.read(), []);
  assert.equal((await keys("token", "ls")).stdout, "There are no tokens.\n");
});

test("the folder is in the home unless another is named, relative to where the user is", async (t) => {
  const { keys, paths } = place(t);
  const { stdout } = await keys("--hosts", "plane.example.org", "--workers", "a,b");
  assert.match(stdout, /workers\/b +for the worker b/);
  assert.match(stdout, /plane\.example\.org/);
  assert.ok(existsSync(join(paths.keys, "workers", "a", "token")));
  const { stdout: json } = await keys("--out", "other", "--json");
  assert.equal(JSON.parse(json).folder, join(paths.home, "other"));
  assert.ok(existsSync(join(paths.home, "other", "server", "tls.crt")));
});

test("keys and tokens for another home are written there and nowhere else", async (t) => {
  const { keys, paths, tokens } = place(t);
  const other = makeHome(join(paths.home, "other"));
  const { stdout } = await keys("--home", "other");
  assert.match(stdout, /token add NAME --role admin --home other\n/);
  assert.ok(existsSync(join(other.keys, "server", "tls.crt")));
  await keys("token", "add", "anna", "--role", "read", "--home", "other");
  assert.match((await keys("token", "ls", "--home", "other")).stdout, /anna +read/);
  assert.match(readFileSync(other.audit, "utf8"), /"target":"anna"/);
  assert.deepEqual([tokens.read(), existsSync(paths.keys)], [[], false]);
  await keys("token", "rm", "anna", "--home", "other");
  assert.ok(!(await keys("token", "ls", "--home", "other")).stdout.includes("anna"));
});

test("the help of token is that of keys", async (t) => {
  const { keys } = place(t);
  assert.equal((await keys("token", "--help")).stdout, (await keys("--help")).stdout);
});

test("mistakes are one sentence, with exit code 2 for wrong usage", async (t) => {
  const { keys } = place(t);
  const mistakes: [argv: string[], exitCode: number, message: RegExp][] = [
    [["token"], 2, /token takes add, ls, rm or open/],
    [["token", "add", "anna"], 2, /--role/],
    [["token", "add", "--role", "read"], 2, /name/],
    [["token", "add", "anna", "--role", "king"], 2, /read, submit, admin, worker/],
    [["token", "add", "local", "--role", "read"], 2, /choose another/],
    [["token", "rm", "nobody"], 1, /there is no token named "nobody"/],
    [["--hosts", "a b"], 2, /--hosts .*"a b"/],
    [["--workers", "../x"], 2, /--workers .*"\.\.\/x"/],
    [["--nonsense"], 2, /unknown option/],
  ];
  for (const [argv, exitCode, message] of mistakes) {
    const ended = await keys(...argv);
    assert.deepEqual([ended.exitCode, ended.stdout], [exitCode, ""], argv.join(" "));
    assert.match(ended.stderr, message);
    assert.doesNotMatch(ended.stderr, /\n\s+at /);
  }
});

test("a home whose last token was removed opens only by a typed word, which the audit log records", async (t) => {
  const { keys, audit, answers, tokens } = place(t);
  assert.match((await keys("token", "open")).stdout, /^It is open/);
  await keys("token", "add", "anna", "--role", "admin");
  answers.push("open");
  const early = await keys("token", "open");
  assert.equal(early.exitCode, 1);
  assert.match(early.stderr, /there are still tokens, of anna; .*token rm/);
  assert.match((await keys("token", "rm", "anna")).stderr, /was the last one.*token open/s);
  const nobody = await keys("token", "open");
  assert.equal(nobody.exitCode, 2);
  assert.match(nobody.stderr, /no terminal; give --yes/);
  answers.push("yes");
  assert.match((await keys("token", "open")).stderr, /"open" was not typed/);
  assert.ok(tokens.isClosed);
  answers.push("open");
  assert.match((await keys("token", "open")).stdout, /is open: everyone on this machine/);
  assert.ok(!tokens.isClosed);
  await keys("token", "add", "bob", "--role", "read");
  await keys("token", "rm", "bob");
  assert.equal((await keys("token", "open", "--yes")).exitCode, 0);
  const opened = audit()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ what }) => what === "token open");
  assert.deepEqual(
    opened.map(({ who, result }) => [who, result]),
    [
      ["me", "ok"],
      ["me", "CONFLICT"],
      ["me", "INVALID"],
      ["me", "INVALID"],
      ["me", "ok"],
      ["me", "ok"],
    ],
  );
});
