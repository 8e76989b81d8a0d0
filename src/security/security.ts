import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { environment, invalid, type StillhouseError } from "../errors.js";
import type { Log } from "../experiment/domain/ports.js";
import { type AllowedFolders, NO_FOLDERS } from "./allowed-folders.js";
import { AuditLog } from "./audit-log.js";
import { Authenticator, NONE_LEFT } from "./authenticator.js";
import { CallLimits, DEFAULT_LIMITS, type LimitValues } from "./call-limits.js";
import { makeCurveKeys } from "./keys/curve-certificate.js";
import { readServerKeys, type ServerKeys } from "./keys/read-keys.js";
import { isLoopback } from "./network.js";
import { PoolKeys } from "./pool-keys.js";
import { SessionKeys } from "./session-keys.js";
import { TokenFile } from "./token-file.js";

/** The options of protection for a control plane. */
export interface SecurityOptions {
  /** Folder that `npm run keys` has created. Needed on every host but loopback, optional there. */
  readonly keys?: string;
  /** Whether gRPC and HTTP require a certificate of the authority from clients besides a token. */
  readonly requiresClientCertificate?: boolean;
  readonly limits?: Partial<LimitValues>;
  /** Folders below which callers with a token may name data sets and models; none where absent. */
  readonly folders?: AllowedFolders;
  /** Names of pools whose workers live on when the control plane ends; none where absent. */
  readonly pools?: readonly string[];
}

/** Paths in the home, see `HomePaths`. */
interface SecurityPaths {
  readonly home: string;
  readonly tokens: string;
  readonly audit: string;
  readonly keys: string;
  readonly session: string;
  readonly pools: string;
  readonly folders: string;
}

/** Which CURVE keys workers may join with. Keys in Z85. */
export interface WorkerGate {
  readonly secretKey: string;
  isAllowed(publicKey: string): boolean;
}

/** Decides which clients and workers get access. */
export interface Security {
  readonly authenticator: Authenticator;
  readonly limits: CallLimits;
  readonly audit: AuditLog;
  /** Keys for the workers that this control plane starts, and for commands on its home. */
  readonly session: SessionKeys;
  /** Keys for the workers that engines start. */
  readonly pools: PoolKeys;
  /** Absent on loopback, unless keys were given: TLS is off. */
  readonly keys: ServerKeys | undefined;
  /** Absent where everyone may do everything: workers then need no keys. */
  readonly workerGate: WorkerGate | undefined;
  readonly requiresClientCertificate: boolean;
  readonly folders: AllowedFolders;
}

const DAY_MS = 86_400_000;
const WARN_BEFORE_DAYS = 30;

/**
 * Reads keys and tokens, and refuses to continue where the control plane would be open to the
 * network.
 *
 * @param host that it listens on
 * @throws ENVIRONMENT with the command that repairs it
 */
export function openSecurity(
  host: string,
  options: SecurityOptions,
  paths: SecurityPaths,
  log: Log,
): Security {
  const { keys: given, requiresClientCertificate = false, limits, folders = NO_FOLDERS } = options;
  const isLocal = isLoopback(host);
  const tokens = new TokenFile(paths.tokens);
  const folder = given ?? (isLocal ? undefined : paths.keys);
  if (folder !== undefined && !existsSync(folder)) throw missingKeys(host, folder, isLocal);
  if (requiresClientCertificate && folder === undefined) throw certificateWithoutKeys();
  const keys = folder === undefined ? undefined : readServerKeys(folder);
  if (keys) checkKeys(keys, log);
  // With only tokens of workers, nobody could use the control plane.
  if (!isLocal && tokens.read().every(({ role }) => role === "worker"))
    throw missingTokens(host, paths.home);
  const authenticator = new Authenticator(tokens, !isLocal);
  if (!authenticator.isOpen && tokens.read().length === 0) log.warn(`${paths.home}: ${NONE_LEFT}`);
  const names = options.pools ?? [];
  const parts = { folder: paths.pools, pools: names, now: new Date() };
  const pools = new PoolKeys({ ...parts, authenticator, tokens, keys });
  // Where callers need tokens, workers need keys: without a folder, only the session's and those of
  // pools exist, and the latter must stay.
  const own = () => (names.length > 0 ? pools.serverCurve() : makeCurveKeys());
  const curve = keys?.curve ?? (authenticator.isOpen ? undefined : own());
  pools.make(curve);
  const session = new SessionKeys(paths.session, authenticator, keys, curve);
  return {
    authenticator,
    limits: new CallLimits({ ...DEFAULT_LIMITS, ...limits }),
    audit: new AuditLog(paths.audit, log),
    session,
    pools,
    keys,
    workerGate: curve && {
      secretKey: curve.secretKey,
      isAllowed: (key) =>
        session.isWorker(key) || pools.isWorker(key) || (keys?.isWorker(key) ?? false),
    },
    requiresClientCertificate,
    folders: { ...folders, sent: paths.folders },
  };
}

function checkKeys({ tls, exposed }: ServerKeys, log: Log): void {
  for (const path of exposed) log.warn(`${path} can be read by others; chmod 600 ends that`);
  const { validTo } = new X509Certificate(tls.certificate);
  const daysLeft = (new Date(validTo).getTime() - Date.now()) / DAY_MS;
  if (daysLeft < 0) {
    throw environment(
      `the server's certificate expired on ${validTo}; npm run keys makes a new one`,
    );
  }
  if (daysLeft < WARN_BEFORE_DAYS) {
    log.warn(`the server's certificate expires on ${validTo}; npm run keys makes a new one`);
  }
}

function missingKeys(host: string, folder: string, isLocal: boolean): StillhouseError {
  const why = isLocal ? "" : `${host} can be reached from other machines, and `;
  return environment(
    `${why}there are no keys in ${folder}; create them with: npm run keys -- --out ${folder} --hosts NAME,IP`,
  );
}

function missingTokens(host: string, home: string): StillhouseError {
  return environment(
    `${host} can be reached from other machines, and nobody has a token; create one with: npm run keys -- token add NAME --role admin --home ${home}`,
  );
}

function certificateWithoutKeys(): StillhouseError {
  return invalid("", "certificates of clients are checked with keys; name their folder too");
}
