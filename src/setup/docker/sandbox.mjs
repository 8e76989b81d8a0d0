import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

import { runForeground } from "../foreground.mjs";

/**
 * @typedef {object} SandboxOptions
 * @property {Record<string, string>} folders path inside → folder on this machine, writable
 * @property {Record<string, string>} [files] path inside → file on this machine, read only
 * @property {string} workdir
 * @property {Record<string, string>} env
 * @property {number} uid
 * @property {boolean} hasNetwork
 */

/**
 * Runs a shell command in a sandbox with nothing but this machine's programs, which stand in for a
 * base image, and the given folders.
 *
 * @param {string} command
 * @param {string} python the interpreter that stands in for the image's
 * @param {SandboxOptions} options
 * @returns {Promise<number>} its exit code
 */
export function runInSandbox(
  command,
  python,
  { folders, files = {}, workdir, env, uid, hasNetwork },
) {
  const interpreter = realpathSync(python);
  // A Python outside /usr, such as one of pyenv, needs its whole tree.
  const trees = [dirname(dirname(interpreter)), dirname(dirname(process.execPath))].filter(
    (tree) => !tree.startsWith("/usr"),
  );
  const path = [
    dirname(interpreter),
    dirname(process.execPath),
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
  ];
  const resolver = "/etc/resolv.conf";
  const args = [
    "--die-with-parent",
    "--unshare-user",
    "--unshare-pid",
    ...["--uid", String(uid), "--gid", String(uid)],
    ...(hasNetwork ? [] : ["--unshare-net"]),
    ...["--ro-bind", "/usr", "/usr"],
    ...["bin", "lib", "lib64", "sbin"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
    // A machine without a network may have its packages here.
    ...["--ro-bind-try", "/opt", "/opt"],
    ...["--ro-bind", "/etc", "/etc", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
    ...trees.flatMap((tree) => ["--ro-bind", tree, tree]),
    ...(existsSync(resolver) && realpathSync(resolver) !== resolver
      ? ["--ro-bind", realpathSync(resolver), realpathSync(resolver)]
      : []),
    ...Object.entries(folders).flatMap(([inside, outside]) => ["--bind", outside, inside]),
    ...Object.entries(files).flatMap(([inside, outside]) => ["--ro-bind", outside, inside]),
    ...Object.entries({
      HOME: "/tmp",
      PATH: path.join(":"),
      STILLHOUSE_PYTHON: interpreter,
      ...env,
    }).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--chdir", workdir, "sh", "-euc", command],
  ];
  return runForeground("bwrap", args, { cwd: "/" });
}

/** @param {string} root @param {string} path absolute, in an image @returns {string} */
export function placeIn(root, path) {
  const place = join(root, path);
  mkdirSync(dirname(place), { recursive: true });
  return place;
}
