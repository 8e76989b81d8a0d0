import { X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { isSameHash, tokenHash } from "../token.js";
import type { TokenFile } from "../token-file.js";
import type { CertificateAndKey } from "./certificates.js";
import {
  type CurveKeys,
  curveCertificate,
  makeCurveKeys,
  readCurveKey,
} from "./curve-certificate.js";
import { KEY_FILES, PARTIES } from "./key-files.js";
import { readSecret, readSecretIfThere, writeSecret } from "./secret-file.js";
import { shortest, subjectNames } from "./subject-names.js";

export interface KeysRequest {
  /** The folder to create. */
  readonly folder: string;
  /** DNS names and IP addresses of the server, besides this machine's own. */
  readonly hosts: readonly string[];
  /** Names of workers. */
  readonly workers: readonly string[];
  /** The file to which the workers' tokens are added. */
  readonly tokens: TokenFile;
  readonly now: Date;
}

export interface MadeKeys {
  /** All names in the server's certificate. */
  readonly hosts: readonly string[];
  /** When the certificates expire, except the authority's. */
  readonly expires: Date;
}

const LOCAL_HOSTS = ["localhost", "127.0.0.1", "::1"];

/**
 * Creates a folder with the keys and certificates of every party. If it exists already, the
 * authority, CURVE keys, tokens and the names of the server are kept, and certificates are issued
 * again, so that names can be added and none expires.
 *
 * @throws ENVIRONMENT when something cannot be read or written
 */
export async function makeKeys(request: KeysRequest): Promise<MadeKeys> {
  const { folder, workers, now } = request;
  // Only this command needs the library behind it, which is slow to load.
  const { issueCertificate, makeAuthority } = await import("./certificates.js");
  const at = (...parts: string[]) => join(folder, ...parts);
  const authority = await authorityIn(at(PARTIES.authority), () => makeAuthority(now));
  const certificateOfServer = at(PARTIES.server, KEY_FILES.certificate);
  const hosts = [
    ...new Set([
      ...LOCAL_HOSTS,
      hostname(),
      ...namesIn(certificateOfServer),
      ...request.hosts.map(shortest),
    ]),
  ];
  const controlPlane = curveKeysIn(at(PARTIES.server));
  const issue = async (party: string, name: string, names: readonly string[] = []) =>
    writeParty(at(party), authority, await issueCertificate(authority, name, names, now));
  await issue(PARTIES.server, "Stillhouse control plane", hosts);
  await issue(PARTIES.client, "Stillhouse client");
  for (const name of workers) {
    const own = PARTIES.worker(name);
    await issue(own, `Stillhouse worker ${name}`);
    const { publicKey } = curveKeysIn(at(own));
    const publicFile = `${name}.key`;
    writeSecret(at(PARTIES.server, KEY_FILES.workers, publicFile), curveCertificate({ publicKey }));
    const { publicKey: server } = controlPlane;
    writeSecret(at(own, KEY_FILES.controlPlane), curveCertificate({ publicKey: server }));
    ensureToken(at(own, KEY_FILES.token), `worker-${name}`, request);
  }
  const { validTo } = new X509Certificate(readSecret(certificateOfServer));
  return { hosts, expires: new Date(validTo) };
}

async function authorityIn(
  folder: string,
  make: () => Promise<CertificateAndKey>,
): Promise<CertificateAndKey> {
  const [certificateFile, keyFile] = [join(folder, KEY_FILES.authority), join(folder, "ca.key")];
  const certificate = readSecretIfThere(certificateFile);
  const key = readSecretIfThere(keyFile);
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  const made = await make();
  writeSecret(certificateFile, made.certificate);
  writeSecret(keyFile, made.key);
  return made;
}

function writeParty(folder: string, authority: CertificateAndKey, own: CertificateAndKey): void {
  writeSecret(join(folder, KEY_FILES.authority), authority.certificate);
  writeSecret(join(folder, KEY_FILES.certificate), own.certificate);
  writeSecret(join(folder, KEY_FILES.key), own.key);
}

/** The pair of a folder, which is made where there is none. */
export function curveKeysIn(folder: string): CurveKeys {
  const path = join(folder, KEY_FILES.curve);
  const text = readSecretIfThere(path);
  if (text !== undefined) {
    const publicKey = readCurveKey(text, "public-key", path);
    return { publicKey, secretKey: readCurveKey(text, "secret-key", path) };
  }
  const keys = makeCurveKeys();
  writeSecret(path, curveCertificate(keys));
  return keys;
}

/** A token in the folder is kept as long as it is valid; otherwise it is replaced. */
export function ensureToken(
  path: string,
  name: string,
  { tokens, now }: Pick<KeysRequest, "tokens" | "now">,
): void {
  const known = tokens.read().find((record) => record.name === name);
  const there = readSecretIfThere(path)?.trim();
  if (known && there !== undefined && isSameHash(known.sha256, tokenHash(there))) return;
  if (known) tokens.remove(name);
  writeSecret(path, `${tokens.add(name, "worker", now)}\n`);
}

/** DNS names and IP addresses of a certificate; none where there is no file. */
function namesIn(path: string): string[] {
  const text = readSecretIfThere(path);
  return text === undefined ? [] : subjectNames(text);
}
