import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseServeArguments } from "../../src/cli/service/serve-arguments.js";
import { parseWorkerArguments } from "../../src/cli/service/worker-arguments.js";
import { choicesOf, countOf, parseCommand } from "../../src/cli/stillhouse/command.js";
import { LIST } from "../../src/cli/stillhouse/list.js";
import { STATES } from "../../src/cli/stillhouse/state-words.js";
import { StillhouseError } from "../../src/errors.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const PLACES = {
  home: "/home/of/stillhouse",
  userFolder: "/user",
  dataDir: undefined,
  token: undefined,
  columns: undefined,
};

function refused(action: () => unknown, message: RegExp) {
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof StillhouseError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe("the arguments of serve", () => {
  it("listen on this machine only by default", () => {
    const request = parseServeArguments([], PLACES);
    assert.ok(request.kind === "serve");
    const { host, grpcPort, workerPort, httpPort, numWorkers, drainMs, home, keys } = request;
    assert.deepEqual([host, grpcPort, workerPort, httpPort], ["127.0.0.1", 8421, 8422, 8420]);
    assert.deepEqual([numWorkers, drainMs, home, keys], [1, 30_000, PLACES.home, undefined]);
  });

  it("resolve folders from the user's folder, and take any port for 0", () => {
    const argv = ["--home", "h", "--keys", "../k", "--grpc-port", "0", "--workers", "0"];
    const request = parseServeArguments(argv, PLACES);
    assert.ok(request.kind === "serve");
    assert.deepEqual([request.home, request.keys], ["/user/h", "/k"]);
    assert.deepEqual([request.grpcPort, request.numWorkers], [0, 0]);
  });

  it("let an engine start workers, and then none of this machine by default", () => {
    const options = ["partition=gpu", "gpus=2", "max-memory=8192", "time=04:00:00"];
    const argv = ["--launcher", "slurm", "--max-workers", "64", "--advertise", "login1"];
    for (const option of options) argv.push("--launcher-option", option);
    const request = parseServeArguments(argv, PLACES);
    assert.ok(request.kind === "serve");
    assert.deepEqual([request.numWorkers, request.advertise], [0, "login1"]);
    const limits = { maxWorkers: 64, maxPending: 16, idleTimeoutMs: 300_000 };
    const others = { partition: "gpu", time: "04:00:00" };
    const shape = { gpus: 2, maxMemoryBytes: 8_192 * 2 ** 20, options: others };
    assert.deepEqual(request.engines, [{ name: "slurm", engine: "slurm", ...limits, ...shape }]);
  });

  it("take several engines from a file, in its order", (test) => {
    const userFolder = temporaryFolder(test);
    const serveWith = (text: string) => {
      writeFileSync(join(userFolder, "l.yaml"), text);
      return parseServeArguments(["--launchers", "l.yaml"], { ...PLACES, userFolder });
    };
    const own =
      "{ name: own, engine: slurm, max-workers: 8, options: { gpus: 2, time: 04:00:00 } }";
    const spot =
      "{ name: spot, engine: kubernetes, image: r/w, max-workers: 64, idle-timeout: 60 }";
    const request = serveWith(`pools:\n- ${own}\n- ${spot}\n`);
    assert.ok(request.kind === "serve");
    const limits = { maxPending: 16, maxMemoryBytes: 0 };
    const first = { maxWorkers: 8, idleTimeoutMs: 300_000, gpus: 2 };
    const second = { maxWorkers: 64, idleTimeoutMs: 60_000, gpus: 0 };
    assert.deepEqual(request.engines, [
      { name: "own", engine: "slurm", ...limits, ...first, options: { time: "04:00:00" } },
      { name: "spot", engine: "kubernetes", ...limits, ...second, options: { image: "r/w" } },
    ]);
    assert.equal(request.numWorkers, 0);
    for (const [text, message] of [
      ["", /l.yaml must hold a list "pools:"/],
      ["pools: []", /must hold a list "pools:"/],
      [`pools: [${own}, ${own}]`, /l.yaml has two pools own; give one of them another name/],
      [
        "pools: [{ engine: pbs }]",
        /engine of pools\[0\] in l.yaml must be slurm, kubernetes or ray:/,
      ],
      ["pools: [{ engine: slurm }]", /needs max-workers of pools\[0\] in l.yaml N/],
      ["pools: [{ engine: slurm, max-workers: 1.5 }]", /must be a whole number from 1/],
      ["pools: [{ engine: slurm, workers: 1 }]", /unknown key workers; it may have name, engine/],
      ["pools: [{ name: local, engine: slurm, max-workers: 1 }]", /and not local, got "local"/],
      ["pools: [{ name: A-b, engine: slurm, max-workers: 1 }]", /lower-case letters .*"A-b"/],
      [
        "pools: [{ engine: slurm, max-workers: 1, options: { qos: true } }]",
        /options.qos of pools\[0\] in l.yaml must be a text or a number, got true/,
      ],
      ["pools: [", /l.yaml is not valid YAML or JSON/],
    ] as const) {
      refused(() => serveWith(text), message);
    }
    refused(
      () => parseServeArguments(["--launchers", "no.yaml"], PLACES),
      /no.yaml does not exist/,
    );
    const both = ["--launchers", "l.yaml", "--launcher", "slurm", "--max-workers", "1"];
    refused(() => parseServeArguments(both, PLACES), /cannot be used together/);
    const alone = ["--launchers", "l.yaml", "--max-workers", "1"];
    refused(() => parseServeArguments(alone, PLACES), /--max-workers needs --launcher/);
  });

  it("name the image that Kubernetes starts", () => {
    const argv = ["--launcher", "kubernetes", "--max-workers", "8", "--image", "r/w@sha256:0"];
    const request = parseServeArguments(argv, PLACES);
    assert.ok(request.kind === "serve");
    assert.deepEqual(request.engines[0]?.options, { image: "r/w@sha256:0" });
  });

  it("name the address at which Ray Client answers", () => {
    const named = (launcher: string) => {
      const argv = ["--launcher", launcher, "--max-workers", "8", "--launcher-option", "cpus=2"];
      const request = parseServeArguments(argv, PLACES);
      assert.ok(request.kind === "serve");
      return request.engines[0];
    };
    for (const address of ["ray://head:10001", "ray://10.0.0.7:10001", "ray://[fd00::7]:10001"]) {
      const { name, engine, options } = named(address) ?? {};
      assert.deepEqual([name, engine, options], ["ray", "ray", { cpus: "2", address }]);
    }
    for (const wrong of ["ray", "ray://head", "ray://head:x", "ray://a b:1", "http://head:10001"]) {
      refused(() => named(wrong), /--launcher must be slurm, kubernetes or ray:\/\/HOST:10001/);
    }
  });

  for (const [argv, message] of [
    [
      ["--launcher", "pbs", "--max-workers", "1"],
      /--launcher must be slurm, kubernetes or ray:\/\/HOST:10001, got "pbs"/,
    ],
    [["--launcher", "kubernetes", "--max-workers", "1"], /kubernetes needs --image REFERENCE/],
    [
      ["--launcher", "slurm", "--max-workers", "1", "--image", "x"],
      /--image is for kubernetes; slurm starts/,
    ],
    [
      ["--launcher", "ray://head:10001", "--max-workers", "1", "--image", "x"],
      /--image is for kubernetes; ray starts/,
    ],
    [["--image", "x"], /--image needs --launcher/],
    [["--launcher", "slurm"], /--launcher needs --max-workers N/],
    [["--launcher", "slurm", "--max-workers", "0"], /--max-workers must be .* from 1/],
    [["--max-workers", "4"], /--max-workers needs --launcher; --workers is for this machine/],
    [["--launcher-option", "time=1"], /--launcher-option needs --launcher/],
    [["--advertise", "a b"], /--advertise must be a name or an address/],
    [
      ["--launcher", "slurm", "--max-workers", "1", "--launcher-option", "gpus"],
      /--launcher-option must be KEY=VALUE, got "gpus"/,
    ],
    [
      ["--launcher", "slurm", "--max-workers", "1", "--require-client-certificate"],
      /cannot be used with --require-client-certificate/,
    ],
  ] as const) {
    it(`refuse ${argv.join(" ")}`, () => {
      refused(() => parseServeArguments([...argv], PLACES), message);
    });
  }

  it("allow callers with a token only the folders named by flags", () => {
    const foldersOf = (argv: string[], dataDir?: string) => {
      const request = parseServeArguments(argv, { ...PLACES, dataDir });
      return request.kind === "serve" ? request.folders : undefined;
    };
    assert.deepEqual(foldersOf([]), { data: [], models: [] });
    assert.deepEqual(foldersOf([], "/sets"), { data: ["/sets"], models: [] });
    const named = ["--data-dir", "a", "--data-dir", "/b", "--model-dir", "../m"];
    assert.deepEqual(foldersOf(named, "/sets"), { data: ["/user/a", "/b"], models: ["/m"] });
  });

  for (const [argv, message] of [
    [["--host", "example.org"], /--host must be an IP address of this machine, got "example.org"/],
    [["--grpc-port", "65536"], /--grpc-port must be a whole number from 0 to 65535, got "65536"/],
    [
      ["--max-unfinished", "x"],
      /--max-unfinished must be a whole number from 0 to 999999, got "x"/,
    ],
    [["--workers", "-1"], /--workers must be a whole number from 0 to 64, got "-1"/],
    [["--drain-timeout", "soon"], /--drain-timeout must be a whole number from 0 to 3600/],
    [["--prot", "1"], /unknown option '--prot'/],
  ] as const) {
    it(`are refused: ${argv.join(" ")}`, () => {
      refused(() => parseServeArguments([...argv], PLACES), message);
    });
  }
});

describe("the arguments of worker", () => {
  const connect = ["--connect", "tcp://10.0.0.5:8422"];

  it("have folders of their own", () => {
    const request = parseWorkerArguments(connect, { ...PLACES, dataDir: "/data" });
    assert.ok(request.kind === "work");
    const { device, workFolder, dataFolder, artifacts, sharesFolders } = request;
    assert.deepEqual([device, workFolder], ["auto", "/home/of/stillhouse/worker"]);
    assert.equal(request.numProcesses, 1);
    assert.deepEqual([dataFolder, artifacts, sharesFolders], ["/data", undefined, true]);
  });

  for (const [argv, message] of [
    [[], /--connect tcp:\/\/HOST:PORT must be given; npm run serve prints it/],
    [["--connect", "10.0.0.5:8422"], /--connect must be tcp:\/\/HOST:PORT, got "10.0.0.5:8422"/],
    [["--connect", "tcp://host:0"], /--connect must be/],
    [[...connect, "--device", "gpu"], /--device must be auto, cpu, cuda or cuda:N, got "gpu"/],
    [[...connect, "--artifacts", "x"], /--artifacts must be HOST:PORT, got "x"/],
    [[...connect, "--name", "a/b"], /--name must be at most 64 letters/],
    [[...connect, "--processes", "0"], /--processes must be a whole number from 1 to 64, got "0"/],
  ] as const) {
    it(`are refused: ${argv.join(" ") || "none"}`, () => {
      refused(() => parseWorkerArguments([...argv], PLACES), message);
    });
  }
});

describe("the arguments of stillhouse", () => {
  it("name a server and filters, and refuse unknown ones", () => {
    const argv = ["--state", "running, failed", "--server", "127.0.0.1:8421", "--json"];
    const parsed = parseCommand(LIST, argv, PLACES);
    assert.ok(parsed.kind === "run");
    assert.equal(parsed.server?.endpoint.address, "127.0.0.1:8421");
    assert.equal(parsed.isJson, true);
    assert.deepEqual(choicesOf(parsed.options.state, "--state", STATES), [
      STATES.running,
      STATES.failed,
    ]);
    refused(() => choicesOf("done", "--state", STATES), /--state must be of queued, .*got "done"/);
    refused(() => countOf("0", "--limit", 20), /--limit must be a whole number ≥ 1, got "0"/);
    refused(() => parseCommand(LIST, ["--server", "nowhere"], PLACES), /must be HOST:PORT/);
    refused(() => parseCommand(LIST, ["word"], PLACES), /unexpected argument "word"/);
  });
});
