import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Authenticator } from "./authenticator.js";
import { type CurveKeys, curveCertificate, makeCurveKeys } from "./keys/curve-certificate.js";
import { KEY_FILES } from "./keys/key-files.js";
import type { ServerKeys } from "./keys/read-keys.js";
import { writeSecret } from "./keys/secret-file.js";
import { subjectNames } from "./keys/subject-names.js";

/** Name of the token of the workers that the control plane starts; no other token has it. */
export const OWN_WORKERS = "local-worker";

/**
 * Folders of keys for this control plane's own processes: the workers that it starts, and commands
 * on the same home. They are valid until it ends, and only a user who can read the home can read
 * them.
 */
export class SessionKeys {
  readonly #folder: string;
  readonly #workerKey: string;
  /** Folder for the workers that it starts. */
  readonly worker: string;
  /** Folder for commands on the same home. */
  readonly client: string;

  /**
   * @param folder `HOME/session`
   * @param keys of the control plane; undefined where it has no TLS
   * @param curve public key of the control plane; undefined where ZeroMQ asks for none
   */
  constructor(
    folder: string,
    authenticator: Authenticator,
    keys: ServerKeys | undefined,
    curve: Pick<CurveKeys, "publicKey"> | undefined,
  ) {
    this.#folder = folder;
    this.worker = join(folder, "worker");
    this.client = join(folder, "client");
    rmSync(folder, { recursive: true, force: true });
    const own = makeCurveKeys();
    this.#workerKey = own.publicKey;
    this.#write(this.worker, authenticator.issue(OWN_WORKERS, "worker"), keys);
    this.#write(this.client, authenticator.issue("local", "admin"), keys);
    if (!curve) return;
    const { publicKey } = curve;
    writeSecret(join(this.worker, KEY_FILES.curve), curveCertificate(own));
    writeSecret(join(this.worker, KEY_FILES.controlPlane), curveCertificate({ publicKey }));
  }

  /** Whether it is the CURVE key of the workers that this control plane started. */
  isWorker(publicKey: string): boolean {
    return publicKey === this.#workerKey;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(folder: string, token: string, keys: ServerKeys | undefined): void {
    writeSecret(join(folder, KEY_FILES.token), `${token}\n`);
    if (!keys) return;
    const { authority, certificate, key } = keys.tls;
    writeSecret(join(folder, KEY_FILES.authority), authority);
    // The server's certificate is valid for a client too, and its key is on this machine anyway.
    writeSecret(join(folder, KEY_FILES.certificate), certificate);
    writeSecret(join(folder, KEY_FILES.key), key);
    const [name] = subjectNames(certificate);
    if (name !== undefined) writeSecret(join(folder, KEY_FILES.serverName), `${name}\n`);
  }
}
