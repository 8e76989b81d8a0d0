import { join } from "node:path";
import type { Authenticator } from "./authenticator.js";
import { type CurveKeys, curveCertificate } from "./keys/curve-certificate.js";
import { KEY_FILES } from "./keys/key-files.js";
import { curveKeysIn, ensureToken } from "./keys/make-keys.js";
import type { ServerKeys } from "./keys/read-keys.js";
import { writeSecret } from "./keys/secret-file.js";
import { subjectNames } from "./keys/subject-names.js";
import type { TokenFile } from "./token-file.js";

export interface PoolKeysParts {
  /** `HOME/pools` */
  readonly folder: string;
  /** Names of the pools whose workers live on when the control plane ends. */
  readonly pools: readonly string[];
  readonly authenticator: Authenticator;
  readonly tokens: TokenFile;
  /** Of the control plane; undefined where it has no TLS. */
  readonly keys: ServerKeys | undefined;
  readonly now: Date;
}

/**
 * A folder of keys per pool, for workers that engines start. It is made once and kept, so that
 * workers that outlive the control plane get in again, and it holds nothing of the server's but
 * what is public. Removing the token of a pool refuses its workers from their next hello on; the
 * next start of the control plane makes another one.
 */
export class PoolKeys {
  readonly #parts: PoolKeysParts;
  readonly #publicKeys = new Set<string>();

  constructor(parts: PoolKeysParts) {
    this.#parts = parts;
  }

  /** Where the folder of keys gives the control plane no CURVE keys: its own, for all pools. */
  serverCurve(): CurveKeys {
    return curveKeysIn(join(this.#parts.folder, "control-plane"));
  }

  /** @param curve public key of the control plane; undefined where workers need no keys */
  make(curve: Pick<CurveKeys, "publicKey"> | undefined): void {
    if (this.#parts.authenticator.isOpen) return;
    for (const pool of this.#parts.pools) this.#makeFor(pool, curve);
  }

  /** The folder for workers of a pool; undefined where they need no keys. */
  folderOf(pool: string): string | undefined {
    const { authenticator, folder } = this.#parts;
    return authenticator.isOpen ? undefined : join(folder, pool, "keys");
  }

  /** Whether it is the CURVE key of a pool. */
  isWorker(publicKey: string): boolean {
    return this.#publicKeys.has(publicKey);
  }

  #makeFor(pool: string, curve: Pick<CurveKeys, "publicKey"> | undefined): void {
    const { folder, tokens, keys, now } = this.#parts;
    const at = (name: string) => join(folder, pool, "keys", name);
    ensureToken(at(KEY_FILES.token), tokenNameOf(pool), { tokens, now });
    if (keys) {
      writeSecret(at(KEY_FILES.authority), keys.tls.authority);
      const [name] = subjectNames(keys.tls.certificate);
      if (name !== undefined) writeSecret(at(KEY_FILES.serverName), `${name}\n`);
    }
    if (!curve) return;
    this.#publicKeys.add(curveKeysIn(join(folder, pool, "keys")).publicKey);
    const { publicKey } = curve;
    writeSecret(at(KEY_FILES.controlPlane), curveCertificate({ publicKey }));
  }
}

/** The name of the token of a pool's workers. */
export function tokenNameOf(pool: string): string {
  return `pool-${pool}`;
}
