import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, status } from "@grpc/grpc-js";
import { curveKeyPair, Dealer } from "zeromq";
import { StillhouseClient } from "../../src/api/client.js";
import { channelOf, type Endpoint } from "../../src/api/endpoint.js";
import { openHome } from "../../src/control-plane.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  type DatasetSpec,
  ExperimentSpec,
  ModelSpec,
  Source,
} from "../../src/generated/stillhouse/v1/spec.js";
import { Hello, WorkerMessage } from "../../src/generated/stillhouse/v1/worker.js";
import { makeKeys } from "../../src/security/keys/make-keys.js";
import { readPartyKeys, readServerKeys } from "../../src/security/keys/read-keys.js";
import type { Role } from "../../src/security/role.js";
import type { SecurityOptions } from "../../src/security/security.js";
import { TokenFile } from "../../src/security/token-file.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it as test } from "../fixtures/waiting.js";
import { TestPlane, workerCommand } from "./test-plane.js";
import { TestWorker } from "./test-worker.js";

/** How long a test waits to see that a stranger gets no answer. */
const PATIENCE_MS = 400;

/** A spec that names no folder of the server. */
function quickSpec() {
  const spec = resolvedSpec();
  spec.dataset = { ...spec.dataset, source: Source.HUB, dataDir: "" } as DatasetSpec;
  spec.baseline = { ...spec.baseline, full: false, random: false, untrained: false };
  return spec;
}

const withKind = (kind: FailureKind, message = /./) => {
  return (error: unknown) =>
    error instanceof StillhouseError && error.kind === kind && message.test(error.message);
};
const isUnauthenticated = withKind(FailureKind.UNAUTHENTICATED);
const isDenied = withKind(FailureKind.PERMISSION_DENIED);
const isUnavailable = (message: RegExp) => withKind(FailureKind.UNAVAILABLE, message);

function helloOf(workerId: string): Uint8Array {
  const value = Hello.fromPartial({ workerId, device: "cpu", host: "h", pid: 1, protocol: 2 });
  return WorkerMessage.encode({ kind: { $case: "hello", value } }).finish();
}

/** A home with keys and tokens. */
class ProtectedHome {
  readonly home: string;
  readonly keys: string;
  readonly tokens: TokenFile;
  readonly #test: TestContext;

  constructor(test: TestContext) {
    this.#test = test;
    this.home = temporaryFolder(test);
    this.keys = join(this.home, "keys");
    this.tokens = new TokenFile(join(this.home, "tokens.json"));
  }

  async makeKeys(workers = ["gpu"]): Promise<void> {
    const { keys: folder, tokens } = this;
    await makeKeys({ folder, hosts: [], workers, tokens, now: new Date() });
  }

  async start(options: SecurityOptions = {}): Promise<TestPlane> {
    await this.makeKeys();
    const security = { keys: this.keys, ...options };
    return TestPlane.start(this.#test, { home: this.home, security });
  }

  token(role: Role): string {
    return this.tokens.add(role, role, new Date());
  }

  /** A client as a person would use it: with the authority, and perhaps a token. */
  client({ plane }: TestPlane, extra: Partial<Endpoint> = {}): StillhouseClient {
    const { authority = "" } = readPartyKeys(join(this.keys, "client"));
    const client = new StillhouseClient({ address: plane.address, authority, ...extra });
    afterwards(this.#test, () => client.close());
    return client;
  }

  worker({ plane }: TestPlane, id = "gpu"): TestWorker {
    const keys = join(this.keys, "workers", "gpu");
    const addresses = { zmq: plane.workerAddress, grpc: plane.address, keys };
    const worker = new TestWorker(addresses, id);
    afterwards(this.#test, () => worker.close());
    return worker;
  }

  audit(): Record<string, string>[] {
    const lines = readFileSync(join(this.home, "logs", "audit.log"), "utf8")
      .trim()
      .split("\n");
    return lines.map((line) => JSON.parse(line));
  }
}

describe("a control plane that other machines can reach", () => {
  test("does not start without keys or without tokens, and says how to create them", async (t) => {
    const there = new ProtectedHome(t);
    const start = () => TestPlane.start(t, { home: there.home, host: "0.0.0.0" });
    const isEnvironment = (message: RegExp) => withKind(FailureKind.ENVIRONMENT, message);
    await assert.rejects(start(), isEnvironment(/0\.0\.0\.0 .*npm run keys -- --out/));
    await there.makeKeys();
    await assert.rejects(start(), isEnvironment(/npm run keys -- token add NAME --role admin/));
    there.token("admin");
    const plane = await start();
    await assert.rejects(there.client(plane).list(1, ""), isUnauthenticated);
  });

  test("warns of keys that others can read", async (t) => {
    const there = new ProtectedHome(t);
    await there.makeKeys();
    chmodSync(join(there.keys, "server", "tls.key"), 0o640);
    const security = { keys: there.keys };
    const { warnings } = await TestPlane.start(t, { home: there.home, security });
    assert.match(warnings.join("\n"), /server\/tls\.key can be read by others; chmod 600/);
  });

  test("does not start without keys where clients must have certificates", async (t) => {
    const start = TestPlane.start(t, { security: { requiresClientCertificate: true } });
    await assert.rejects(start, withKind(FailureKind.INVALID, /keys/));
  });
});

describe("gRPC with keys", () => {
  test("refuses clients without TLS, and those that trust another authority", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start();
    const token = there.token("admin");
    const plain = new StillhouseClient({ address: plane.plane.address, token });
    afterwards(t, () => plain.close());
    await assert.rejects(plain.list(1, ""), isUnavailable(/if it speaks TLS, give --ca/));
    const other = new ProtectedHome(t);
    await other.makeKeys();
    const untrusted = other.client(plane, { token });
    await assert.rejects(untrusted.list(1, ""), isUnavailable(/another authority/));
    const misnamed = there.client(plane, { token, serverName: "other.example.org" });
    await assert.rejects(misnamed.list(1, ""), isUnavailable(/--hosts/));
    await there.client(plane, { token }).list(1, "");
  });

  test("requires a certificate of its authority where it is told to", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start({ requiresClientCertificate: true });
    const token = there.token("read");
    const without = there.client(plane, { token });
    await assert.rejects(without.list(1, ""), isUnavailable(/--cert and --key/));
    const stranger = new ProtectedHome(t);
    await stranger.makeKeys();
    const { certificate = "", key = "" } = readPartyKeys(join(stranger.keys, "client"));
    const foreign = there.client(plane, { token, certificate, key });
    await assert.rejects(foreign.list(1, ""), isUnavailable(/./));
    const own = readPartyKeys(join(there.keys, "client"));
    await there.client(plane, { ...own, token }).list(1, "");
    // The control plane's own processes are let in as well.
    await plane.client.list(1, "");
  });

  test("lets a token do what its role allows, from its creation to its removal", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start();
    await assert.rejects(there.client(plane).list(1, ""), isUnauthenticated);
    const wrong = `sth_${"x".repeat(43)}`;
    await assert.rejects(there.client(plane, { token: wrong }).list(1, ""), isUnauthenticated);
    const reader = there.client(plane, { token: there.token("read") });
    const submitter = there.client(plane, { token: there.token("submit") });
    const admin = there.client(plane, { token: there.token("admin") });
    await assert.rejects(reader.create(quickSpec(), ""), isDenied);
    const { id, owner } = await submitter.create(quickSpec(), "");
    assert.equal(owner, "submit", "it belongs to the token that created it");
    assert.equal((await reader.get(id)).experiment?.id, id);
    await assert.rejects(reader.cancel(id), isDenied);
    assert.equal((await submitter.cancel(id)).state, State.CANCELLED);
    await assert.rejects(submitter.delete(id), isDenied);
    await admin.delete(id);
    there.tokens.remove("read");
    await assert.rejects(reader.list(1, ""), isUnauthenticated);
    const changes = there.audit().map(({ who, what, target, from, result }) => {
      assert.equal(from, "127.0.0.1");
      return [who, what, target, result];
    });
    assert.deepEqual(changes, [
      ["read", "CreateExperiment", "", "PERMISSION_DENIED"],
      ["submit", "CreateExperiment", id, "ok"],
      ["read", "CancelExperiment", "", "PERMISSION_DENIED"],
      ["submit", "CancelExperiment", id, "ok"],
      ["submit", "DeleteExperiment", "", "PERMISSION_DENIED"],
      ["admin", "DeleteExperiment", id, "ok"],
    ]);
  });

  test("refuses more streams than the limit, and counts no stream that has ended", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start({ limits: { streams: 1 } });
    const { id } = await plane.client.create(quickSpec(), "");
    const client = there.client(plane, { token: there.token("read") });
    const first = client.watch(id, 0n);
    await first.next();
    const isLimited = withKind(FailureKind.RATE_LIMITED);
    await assert.rejects(client.watch(id, 0n).next(), isLimited);
    await first.return();
    for (;;) {
      const next = client.watch(id, 0n);
      const isOpen = await next.next().then(
        () => true,
        () => false,
      );
      await next.return();
      if (isOpen) break;
      await sleep(20);
    }
  });

  test("shows its health to everyone, and its services only to callers with a token", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start();
    const { authority = "" } = readPartyKeys(join(there.keys, "client"));
    const { address, credentials, options } = channelOf({
      address: plane.plane.address,
      authority,
    });
    const client = new Client(address, credentials, options);
    afterwards(t, () => client.close());
    const call = (path: string) =>
      new Promise<Buffer>((resolve, reject) => {
        const same = (bytes: Buffer) => bytes;
        client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error, answer) =>
          error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
        );
      });
    const serving = Buffer.from([0x08, 0x01]);
    assert.deepEqual(await call("/grpc.health.v1.Health/Check"), serving);
    for (const version of ["v1", "v1alpha"]) {
      const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
      await assert.rejects(call(path), { code: status.UNAUTHENTICATED });
    }
  });

  test("lets a command on the same home in, by files that only their owner can read", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start();
    const opened = await openHome(there.home, console.error);
    if (opened.kind !== "running") throw new Error("nothing runs on the home");
    assert.equal(opened.address, plane.plane.address);
    const files = readdirSync(opened.keys, { withFileTypes: true });
    assert.ok(files.some(({ name }) => name === "token"));
    for (const { name } of files) {
      assert.equal(statSync(join(opened.keys, name)).mode & 0o777, 0o600, name);
    }
    await plane.stop();
    assert.ok(!readdirSync(there.home).includes("session"));
  });
});

describe("what a caller names", () => {
  test("is the caller's own: naming another owner is refused, and a request id finds no other's", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start();
    const as = (name: string, role: Role = "submit") =>
      there.client(plane, { token: there.tokens.add(name, role, new Date()) });
    const [anna, bob, root] = [as("anna"), as("bob"), as("root", "admin")];
    const spec = quickSpec();
    await assert.rejects(bob.create(spec, "", undefined, { owner: "anna" }), isDenied);
    await assert.rejects(bob.createSweep({ specs: [spec], owner: "anna" }), isDenied);
    const { owner } = await root.create(spec, "", undefined, { owner: "anna" });
    assert.equal(owner, "anna");
    // The request id of a group follows from its specs, so two people may send the same one.
    const ofAnna = await anna.create(spec, "group-1");
    const ofBob = await bob.create(spec, "group-1");
    assert.notEqual(ofAnna.id, ofBob.id);
    assert.deepEqual([ofAnna.owner, ofBob.owner], ["anna", "bob"]);
    assert.equal((await anna.create(spec, "group-1")).id, ofAnna.id);
    const sweep = await anna.createSweep({ specs: [spec], requestId: "sweep-1" });
    const other = await bob.createSweep({ specs: [spec], requestId: "sweep-1" });
    assert.notEqual(sweep.id, other.id);
    assert.equal((await anna.createSweep({ specs: [spec], requestId: "sweep-1" })).id, sweep.id);
    const audited = there.audit().filter(({ result }) => result === "PERMISSION_DENIED");
    assert.deepEqual(
      audited.map(({ who, what }) => [who, what]),
      [
        ["bob", "CreateExperiment"],
        ["bob", "CreateSweep"],
      ],
    );
  });

  test("may be folders of the server where those are allowed, and no others", async (t) => {
    const there = new ProtectedHome(t);
    const models = temporaryFolder(t);
    const plane = await there.start({ folders: { data: [], models: [models] } });
    const client = there.client(plane, { token: there.token("submit") });
    const withModel = (name: string) => {
      const spec = quickSpec();
      spec.model = ModelSpec.fromPartial({ ...spec.model, name });
      return spec;
    };
    const outside = withModel(join(there.home, "logs"));
    const isRefused = withKind(FailureKind.PERMISSION_DENIED, /serve --model-dir/);
    await assert.rejects(client.resolve(outside), isRefused);
    await assert.rejects(client.create(outside, ""), isRefused);
    await assert.rejects(client.createSweep({ specs: [outside] }), isRefused);
    await client.create(withModel(join(models, "tiny")), "");
    // The settings of an artifact may name folders too.
    const artifact = join(there.home, "artifacts", "a1");
    mkdirSync(artifact);
    const manifest = { dataset: { class_names: ["a", "b"] }, spec: ExperimentSpec.toJSON(outside) };
    writeFileSync(join(artifact, "manifest.json"), JSON.stringify(manifest));
    const draft = ExperimentSpec.fromPartial({ robustness: { artifactId: "a1" } });
    await assert.rejects(client.resolve(draft), isRefused);
    // For a caller who may read the folder, Python is asked, and this control plane has none.
    const isEnvironment = withKind(FailureKind.ENVIRONMENT);
    await assert.rejects(plane.client.resolve(outside), isEnvironment);
  });
});

describe("workers with keys", () => {
  test("join with an allowed key, and compute and upload over TLS and CURVE", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start({ requiresClientCertificate: true });
    const worker = there.worker(plane);
    await worker.hello();
    await worker.next("welcome");
    const { id } = await plane.client.create(quickSpec(), "");
    await worker.finishNext();
    await worker.finishNext();
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    const upload = there.audit().find(({ what }) => what === "UploadArtifact");
    assert.deepEqual([upload?.who, upload?.result], ["worker-gpu", "ok"]);
  });

  test("that the control plane starts itself get their keys by file", async (t) => {
    const there = new ProtectedHome(t);
    await there.makeKeys();
    const plane = await TestPlane.start(t, {
      home: there.home,
      security: { keys: there.keys, requiresClientCertificate: true },
      numWorkers: 1,
      pythonPath: workerCommand(t, 1),
    });
    const { id } = await plane.client.create(quickSpec(), "");
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    const upload = there.audit().find(({ what }) => what === "UploadArtifact");
    assert.deepEqual([upload?.who, upload?.result], ["local-worker", "ok"]);
  });

  test("cannot join with another key, without one, or after their key was removed", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start();
    const { publicKey: curveServerKey } = readServerKeys(there.keys).curve;
    const { publicKey, secretKey } = curveKeyPair();
    const stranger = { curveServerKey, curvePublicKey: publicKey, curveSecretKey: secretKey };
    for (const keys of [stranger, {}]) {
      const dealer = new Dealer({
        ...keys,
        routingId: "stranger",
        linger: 0,
        receiveTimeout: PATIENCE_MS,
      });
      afterwards(t, () => dealer.close());
      dealer.connect(plane.plane.workerAddress);
      void dealer.send(helloOf("stranger")).catch(() => undefined);
      await assert.rejects(dealer.receive(), /timed out/, "no welcome comes");
    }
    assert.match(plane.warnings.join("\n"), /a worker was refused: its CURVE key/);
    rmSync(join(there.keys, "server", "workers", "gpu.key"));
    const removed = there.worker(plane);
    void removed.hello();
    const welcome = removed.next("welcome").then(() => "welcome");
    assert.equal(await Promise.race([welcome, sleep(PATIENCE_MS, "silence")]), "silence");
  });
});

describe("secrets", () => {
  test("are in no log and in no answer", async (t) => {
    const there = new ProtectedHome(t);
    const plane = await there.start();
    const token = there.token("submit");
    const client = there.client(plane, { token });
    const { id } = await client.create(quickSpec(), "");
    await assert.rejects(client.delete(id), isDenied);
    await assert.rejects(
      there.client(plane, { token: `${token}x` }).list(1, ""),
      isUnauthenticated,
    );
    const secrets = [token, readPartyKeys(join(plane.plane.clientKeys)).token ?? ""];
    secrets.push(readServerKeys(there.keys).curve.secretKey);
    const logs = readdirSync(join(there.home, "logs")).map((name) =>
      readFileSync(join(there.home, "logs", name), "utf8"),
    );
    const shown = [...logs, ...plane.warnings, readFileSync(there.tokens.path, "utf8")].join("\n");
    assert.match(shown, /PERMISSION_DENIED/);
    for (const secret of secrets) assert.ok(secret !== "" && !shown.includes(secret.slice(4)));
  });
});
