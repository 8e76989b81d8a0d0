import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { SetupError } from "../failure.mjs";
import { runForeground } from "../foreground.mjs";
import { pythonPath } from "../python-environment.mjs";
import { makeStage } from "./build.mjs";
import { readDockerfile } from "./dockerfile.mjs";
import { runInSandbox } from "./sandbox.mjs";
import { dockerTools } from "./tools.mjs";

/** The id of the user in the images. */
const UID = 10001;
const START_UP_S = 120;

/**
 * Checks the images and the compose file as far as possible without a container engine: lints both,
 * runs the steps of the build stage in a clean folder, and starts control plane and worker there
 * with the commands of the compose file, until the worker appears in /metrics.
 *
 * @param {string} root
 * @returns {Promise<number>} 0 when nothing is wrong
 */
export async function checkDocker(root) {
  const { hadolint, dclint, modules } = await dockerTools(root);
  const dockerfile = join("docker", "Dockerfile");
  say("hadolint docker/Dockerfile");
  let failed = await runForeground(hadolint, [dockerfile], { cwd: root });
  say("dclint docker/compose.yaml (schema of compose-spec, and style)");
  const compose = join("docker", "compose.yaml");
  const options = ["--config", join("docker", "dclint.yaml")];
  failed ||= await runForeground(dclint, [...options, compose], { cwd: root });
  if (failed) return failed;
  if (spawnSync("bwrap", ["--version"]).error) {
    throw new SetupError("bwrap is missing: apt-get install -y --no-install-recommends bubblewrap");
  }
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-docker-"));
  try {
    const stages = readDockerfile(join(root, dockerfile), modules);
    const unproven = await makeImages(stages, root, folder, modules);
    const services = await readServices(root);
    await startServices(services, root, folder);
    tell([unpinned(stages, services), ...unproven]);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {import("./dockerfile.mjs").Stage[]} stages
 * @param {string} root
 * @param {string} folder
 * @param {string} modules
 */
async function makeImages(stages, root, folder, modules) {
  /** @type {string[]} */
  const unproven = [];
  // The machine's package index, since a closed network does not reach PyTorch's own.
  const args = { TORCH_INDEX: "" };
  const build = { root, folder, modules, python: pythonPath(root), args, say, unproven };
  for (const stage of stages) {
    if (stage.name === "build-cuda" || stage.name === "worker-cuda") {
      unproven.push(`stage ${stage.name}: it downloads gigabytes of CUDA`);
      continue;
    }
    say(`stage ${stage.name}, from ${stage.from}`);
    await makeStage(stage, stages, build);
  }
  return unproven;
}

/**
 * The services of the compose file, by name.
 *
 * @param {string} root
 */
async function readServices(root) {
  const { parse } = await import("yaml");
  const text = readFileSync(join(root, "docker", "compose.yaml"), "utf8");
  return parse(text, { merge: true }).services;
}

/**
 * @param {Awaited<ReturnType<typeof readServices>>} services
 * @param {string} root
 * @param {string} folder where the stages are
 */
async function startServices(services, root, folder) {
  const volumes = Object.fromEntries(
    ["/data", "/keys", "/worker-keys", "/access", "/worker"].map((path) => {
      const place = join(folder, "volumes", path);
      mkdirSync(place, { recursive: true });
      return [path, place];
    }),
  );
  const hosts = join(folder, "hosts");
  writeFileSync(hosts, "127.0.0.1 localhost control-plane\n");
  const words = (/** @type {string[]} */ list) => list.map((word) => `'${word}'`).join(" ");
  const worker = words(services.worker.command)
    .replaceAll("/data", "/worker")
    .replaceAll("=/keys", "=/worker-keys");
  const script = `
    # Twice, as at a second start.
    ${words(services.keys.entrypoint)} > /dev/null
    ${words(services.keys.entrypoint)} > /dev/null
    node docker/start.mjs ${words(services["control-plane"].command)} & plane=$!
    within() { i=0; until "$@"; do i=$((i + 1)); test $i -lt ${START_UP_S}; sleep 1; done; }
    within node docker/healthcheck.mjs
    echo "  the control plane is healthy"
    .venv/bin/python -m stillhouse_worker worker ${worker} & worker=$!
    within .venv/bin/python docker/worker_health.py $worker
    echo "  the worker is healthy"
    export NODE_EXTRA_CA_CERTS=/access/ca.crt
    within node -e '
      const token = require("fs").readFileSync("/access/token", "utf8");
      const headers = { authorization: "Bearer " + token };
      fetch("https://control-plane:8420/metrics", { headers })
        .then((answer) => answer.text())
        .then((text) => process.exit(/^stillhouse_worker_up{.*} 1$/m.test(text) ? 0 : 1))'
    echo "  Prometheus would see the worker"
    kill -TERM $worker $plane
    wait $worker
    wait $plane`;
  say("keys, control plane and worker, as compose starts them");
  const exitCode = await runInSandbox(script, pythonPath(root), {
    folders: { "/app": join(folder, "control-plane", "app"), ...volumes },
    files: { "/etc/hosts": hosts },
    workdir: "/app",
    env: { STILLHOUSE_HOME: "/data", HF_HOME: "/data/huggingface", NODE_ENV: "production" },
    uid: UID,
    hasNetwork: false,
  });
  if (exitCode !== 0) throw new SetupError(`the services did not come up, exit code ${exitCode}`);
}

/**
 * Third-party images, whose tags a registry may point to other content.
 *
 * @param {import("./dockerfile.mjs").Stage[]} stages
 * @param {Awaited<ReturnType<typeof readServices>>} services
 */
function unpinned(stages, services) {
  const own = new Set(stages.map(({ name }) => name));
  const ofServices = Object.values(services).filter(
    ({ image }) => !image.startsWith("stillhouse/"),
  );
  const images = [...stages.map(({ from }) => from), ...ofServices.map(({ image }) => image)];
  const tagged = new Set(images.filter((image) => !own.has(image) && !image.includes("@sha256:")));
  return `what these tags point to, since only their registry knows the digests: ${[...tagged].join(", ")}`;
}

/** @param {string[]} unproven */
function tell(unproven) {
  console.log(`
This check found no fault. Without a container engine, it cannot check:
  - the base images: this machine's Debian, Node and Python stood in for them
  - PyTorch from its own package index, which makes the images small
  - what runs as root in them, and in third-party images (Prometheus, Grafana)
  - isolation: read-only root, dropped capabilities, networks, GPUs
${unproven.map((line) => `  - ${line}`).join("\n")}`);
}

/** @param {string} sentence */
function say(sentence) {
  console.log(`• ${sentence}`);
}
