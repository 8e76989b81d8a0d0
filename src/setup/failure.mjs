/** A set-up or tooling problem that a person can act on; shown as its message alone. */
export class SetupError extends Error {
  /** @param {string} message @param {number} exitCode */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The person stopped the command (Ctrl-C, SIGTERM or a closed terminal). */
export class Interrupted extends SetupError {
  constructor() {
    super("Interrupted. Nothing half-done is left; the same command starts the set-up again.", 130);
  }
}

/**
 * Causes of a tool's failure by its output; the first match counts. Without a network, pip also
 * prints "No matching distribution", so the network is matched before that.
 *
 * @typedef {{ tool: string, root: string, logPath: string }} Failed
 * @type {Array<{ pattern: RegExp, say: (match: RegExpMatchArray, failed: Failed) => string }>}
 */
const CAUSES = [
  {
    pattern: /ENOSPC|No space left on device|Disk quota exceeded/i,
    say: (_, { root }) => diskFull(root),
  },
  {
    pattern: /EACCES|EPERM|EROFS|Permission denied|Read-only file system/i,
    say: (_, { root }) => notWritable(root),
  },
  {
    pattern:
      /EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT|NewConnectionError|NameResolutionError|Failed to establish a new connection|Temporary failure in name resolution|ConnectTimeout|ReadTimeout|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED/,
    say: (match, { tool }) => noNetwork(tool, match[0]),
  },
  {
    pattern: /package\.json and package-lock\.json .* are in sync/,
    say: () =>
      "package-lock.json does not fit package.json. Bring it up to date with: npm install --package-lock-only",
  },
  {
    pattern: /No matching distribution found for (\S+)/,
    say: (match, { logPath }) =>
      `The Python package index in use offers no ${match[1]} for this Python and this machine (see ${logPath}). Choose another Python, 3.11 to 3.13, with: STILLHOUSE_PYTHON=/path/to/python3.11 npm run setup`,
  },
];

/**
 * One sentence on why a tool failed, and what fixes it.
 *
 * @param {Failed} failed
 * @param {string} output what the tool printed at the end
 * @param {number} exitCode
 */
export function explain(failed, output, exitCode) {
  for (const { pattern, say } of CAUSES) {
    const match = output.match(pattern);
    if (match) return new SetupError(say(match, failed));
  }
  const last = lastErrorLine(output);
  const reason = last ? `: ${last}` : "";
  return new SetupError(
    `${failed.tool} failed (exit code ${exitCode})${reason}\nIts whole output is in ${failed.logPath}.`,
  );
}

/**
 * The same for an error of Node's own file or process calls; undefined where it is a defect.
 *
 * @param {unknown} error
 * @param {string} root
 */
export function explainSystemError(error, root) {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT") return new SetupError(diskFull(root));
  if (["EACCES", "EPERM", "EROFS"].includes(code)) return new SetupError(notWritable(root));
  return undefined;
}

/** @param {string} root */
function diskFull(root) {
  return `The disk that holds ${root} is full. Free some space (\`df -h .\` shows how much is left; about 3 GB are needed, 8 GB with CUDA), then run the same command again.`;
}

/** @param {string} root */
function notWritable(root) {
  return `The folder ${root} is not writable for this user. Make it so with: sudo chown -R "$USER" '${root}'`;
}

/** @param {string} tool @param {string} symptom */
function noNetwork(tool, symptom) {
  const probe = tool === "npm" ? "npm ping" : "python3 -m pip download --no-deps -d /tmp six";
  return `${tool} cannot reach its package registry (${symptom}). Check the network and the proxy settings until this works: ${probe}\nThen run the same command again.`;
}

/** @param {string} output */
function lastErrorLine(output) {
  const lines = output
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
}
