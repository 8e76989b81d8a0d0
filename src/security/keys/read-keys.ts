import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { publicKeysIn, readCurveKey } from "./curve-certificate.js";
import { KEY_FILES, PARTIES } from "./key-files.js";
import { readSecret, readSecretIfThere } from "./secret-file.js";

/** All rights of the group and of others. */
const OTHERS = 0o077;

/** Texts in PEM. */
export interface ServerTls {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** The content of the control plane's folder of keys. */
export interface ServerKeys {
  /** Files with secrets that not only their owner can read. */
  readonly exposed: readonly string[];
  readonly tls: ServerTls;
  /** Own CURVE keys, in Z85. */
  readonly curve: { readonly publicKey: string; readonly secretKey: string };
  /** Whether a worker has this public CURVE key; reads the folder again. */
  isWorker(publicKey: string): boolean;
}

/**
 * The control plane's keys.
 *
 * @param folder that `npm run keys` has created, or its folder for the server alone
 * @throws ENVIRONMENT when a file is missing or holds something else
 */
export function readServerKeys(folder: string): ServerKeys {
  const own = existsSync(join(folder, PARTIES.server)) ? join(folder, PARTIES.server) : folder;
  const at = (name: string) => join(own, name);
  const curve = readSecret(at(KEY_FILES.curve));
  return {
    exposed: [at(KEY_FILES.key), at(KEY_FILES.curve)].filter(isExposed),
    tls: {
      authority: readSecret(at(KEY_FILES.authority)),
      certificate: readSecret(at(KEY_FILES.certificate)),
      key: readSecret(at(KEY_FILES.key)),
    },
    curve: {
      publicKey: readCurveKey(curve, "public-key", at(KEY_FILES.curve)),
      secretKey: readCurveKey(curve, "secret-key", at(KEY_FILES.curve)),
    },
    isWorker: (publicKey) => publicKeysIn(at(KEY_FILES.workers)).has(publicKey),
  };
}

function isExposed(path: string): boolean {
  return (statSync(path).mode & OTHERS) !== 0;
}

/** The content of a client's or a worker's folder of keys; missing files are undefined. */
export interface PartyKeys {
  readonly authority?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
  readonly serverName?: string;
}

export function readPartyKeys(folder: string): PartyKeys {
  const text = (name: string) => readSecretIfThere(join(folder, name));
  const found = {
    authority: text(KEY_FILES.authority),
    certificate: text(KEY_FILES.certificate),
    key: text(KEY_FILES.key),
    token: text(KEY_FILES.token)?.trim(),
    serverName: text(KEY_FILES.serverName)?.trim(),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}
