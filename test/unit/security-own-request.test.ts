import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { ExperimentSpec, Source } from "../../src/generated/stillhouse/v1/spec.js";
import type { AllowedFolders } from "../../src/security/allowed-folders.js";
import { type Identity, UNNAMED } from "../../src/security/identity.js";
import { ownRequest } from "../../src/security/own-request.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const ANNA: Identity = { name: "anna", role: "submit", authentication: "token" };
const ROOT: Identity = { name: "root", role: "admin", authentication: "token" };
const LOCAL: Identity = { name: "local", role: "admin", authentication: "session" };
const NONE: AllowedFolders = { data: [], models: [] };

const withMessage = (message: RegExp) => (error: unknown) =>
  error instanceof StillhouseError &&
  error.kind === FailureKind.PERMISSION_DENIED &&
  message.test(error.message);

const ownerFor = (owner: string, caller: Identity) => ownRequest({ owner }, caller, NONE).owner;

describe("the owner of a request", () => {
  test("is its caller by default", () => {
    assert.deepEqual(
      [ANNA, ROOT, LOCAL, UNNAMED].map((caller) => ownerFor("", caller)),
      ["anna", "root", "local", ""],
    );
  });

  test("cannot be anybody else, and is not changed silently", () => {
    assert.equal(ownerFor("anna", ANNA), "anna");
    assert.throws(
      () => ownerFor("bob", ANNA),
      withMessage(/"anna" creates belongs to "anna".*role admin.*"bob"/),
    );
    assert.throws(() => ownerFor("root", ANNA), withMessage(/belongs/));
  });

  test("is free for an admin, and for anyone where there are no tokens", () => {
    assert.equal(ownerFor("bob", ROOT), "bob");
    assert.equal(ownerFor("bob", LOCAL), "bob");
    assert.equal(ownerFor("bob", UNNAMED), "bob");
  });

  test("does not matter to requests that create nothing", () => {
    const request = { experimentId: "e" };
    assert.equal(ownRequest(request, ANNA, NONE), request);
    assert.equal(ownRequest(undefined, ANNA, NONE), undefined);
  });
});

/** `data/sets/news` and `models/tiny` are there, `secret` is beside them. */
function places(test: TestContext) {
  const root = temporaryFolder(test);
  for (const folder of ["data/news", "models/tiny", "secret/news"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, "secret", "key"), "");
  const allowed = { data: [join(root, "data")], models: [join(root, "models")] };
  const ask = (spec: object, caller = ANNA, folders: AllowedFolders = allowed) =>
    ownRequest({ draft: ExperimentSpec.fromPartial(spec) }, caller, folders);
  return { root, ask };
}

describe("folders that a request names", () => {
  test("may lie below allowed folders, existing or not", (t) => {
    const { root, ask } = places(t);
    ask({ dataset: { name: "news", dataDir: join(root, "data") } });
    mkdirSync(join(root, "data", "src"));
    ask({ dataset: { name: "src", dataDir: join(root, "data") } });
    ask({ dataset: { name: "none", dataDir: join(root, "data", "later") } });
    ask({ dataset: { name: join(root, "data", "news") } });
    ask({ model: { name: join(root, "models", "tiny") } });
    ask({ model: { name: join(root, "models", "none", "..", "tiny") } });
    ask({ robustness: { transferTo: [{ name: join(root, "models", "tiny") }] } });
    ask({ dataset: { dataDir: join(root, "data") }, model: { embeddings: "glove" } });
    ask({ model: { embeddings: join(root, "data", "glove") } });
    ask({ model: { embeddings: "glove_6b_100d" } });
  });

  test("may not be any others, however they are named", (t) => {
    const { root, ask } = places(t);
    const data = join(root, "data");
    symlinkSync(join(root, "secret"), join(data, "link"));
    symlinkSync(join(root, "secret"), join(root, "models", "link"));
    const isRefused = (spec: object, field: string) =>
      assert.throws(
        () => ask(spec),
        (error: unknown) =>
          withMessage(/serve --(data|model)-dir/)(error) &&
          (error as StillhouseError).field === field,
        JSON.stringify(spec),
      );
    for (const dataDir of [
      join(root, "secret"),
      join(data, "link"),
      `${data}/../secret`,
      `${root}/data-of-others`,
      "/",
      "~",
      "~root/x",
      "../..",
    ]) {
      isRefused({ dataset: { name: "news", dataDir } }, "dataset.data_dir");
    }
    for (const name of ["link", "../secret", "link/news", join(root, "secret"), "./x"]) {
      isRefused({ dataset: { name, dataDir: data } }, "dataset.name");
    }
    for (const name of [
      join(root, "secret"),
      "~/x",
      "../x",
      "a/../../x",
      join(data, "news"),
      ".",
    ]) {
      isRefused({ model: { name } }, "model.name");
      isRefused({ robustness: { transferTo: [{ name }] } }, "robustness.transfer_to");
    }
    isRefused({ model: { name: join(root, "models", "link", "tiny") } }, "model.name");
    for (const embeddings of ["link", "../secret", join(root, "secret"), "~/x", "./x"]) {
      isRefused({ dataset: { dataDir: data }, model: { embeddings } }, "model.embeddings");
    }
    const embeddingsFound = { source: Source.LOCAL, path: join(root, "secret") };
    isRefused({ model: { embeddings: "glove", embeddingsFound } }, "model.embeddings");
  });

  test("are refused in the same words whether they exist or not", (t) => {
    const { root, ask } = places(t);
    const link = join(root, "models", "to");
    const messageFor = (name: string, before: () => void = () => undefined) => {
      before();
      try {
        ask({ model: { name } });
      } catch (error) {
        return (error as Error).message.replaceAll(name, "PATH");
      }
      return "no error";
    };
    const there = messageFor(join(root, "secret"));
    assert.match(there, /PATH/);
    for (const name of ["gone", "gone/deeper", "secret/key", "secret/key/below"]) {
      assert.equal(messageFor(join(root, name)), there, name);
    }
    // A link does not reveal either whether something is behind it.
    symlinkSync(join(root, "gone"), link);
    assert.equal(messageFor(link), there);
  });

  test("do not matter for names of the hub and of packages", (t) => {
    const { ask } = places(t);
    for (const name of ["distilbert-base-uncased", "google/bert_uncased", "minilm", "a.b/c-d"]) {
      ask({ model: { name }, dataset: { name } }, ANNA, NONE);
    }
    // A folder of that name below the server's own would be taken for the model.
    assert.throws(() => ask({ model: { name: "src/cli" } }), withMessage(/src\/cli/));
  });

  test("are checked in every spec of a request, for an admin from elsewhere too", (t) => {
    const { root, ask } = places(t);
    const spec = ExperimentSpec.fromPartial({ model: { name: join(root, "secret") } });
    const clean = ExperimentSpec.fromPartial({ model: { name: "minilm" } });
    const isRefused = withMessage(/secret/);
    assert.throws(() => ownRequest({ spec, owner: "" }, ANNA, NONE), isRefused);
    assert.throws(() => ownRequest({ specs: [clean, spec], owner: "" }, ANNA, NONE), isRefused);
    assert.throws(() => ask(spec, ROOT), isRefused);
  });

  test("are not checked where there are no tokens, or for this machine's user", (t) => {
    const { root, ask } = places(t);
    for (const caller of [UNNAMED, LOCAL]) {
      ask({ model: { name: join(root, "secret") } }, caller, NONE);
    }
  });
});
