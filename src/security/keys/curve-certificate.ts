import { readdirSync } from "node:fs";
import { join } from "node:path";
import { curveKeyPair } from "zeromq";
import { environment } from "../../errors.js";
import { readSecret } from "./secret-file.js";

/** Keys of CURVE in Z85, 40 characters each. */
export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** Suffix of a file with only a public key, as in czmq and pyzmq. */
const PUBLIC_SUFFIX = ".key";

export function makeCurveKeys(): CurveKeys {
  return curveKeyPair();
}

/** A certificate file of CurveZMQ in ZPL, which czmq and pyzmq read. */
export function curveCertificate({
  publicKey,
  secretKey,
}: Pick<CurveKeys, "publicKey"> & Partial<CurveKeys>): string {
  const secret = secretKey === undefined ? [] : [`    secret-key = "${secretKey}"`];
  return ["metadata", "curve", `    public-key = "${publicKey}"`, ...secret, ""].join("\n");
}

/**
 * @param path of the file with the text, for the error. @throws ENVIRONMENT when it has no such key
 */
export function readCurveKey(
  text: string,
  which: "public-key" | "secret-key",
  path: string,
): string {
  const found = new RegExp(`^\\s*${which}\\s*=\\s*"(\\S{40})"\\s*$`, "m").exec(text)?.[1];
  if (found !== undefined) return found;
  throw environment(`${path} is not a CURVE certificate: it has no ${which} of 40 characters`);
}

/** The names of the certificate files of a folder, by the public keys that they hold. */
export function publicKeysIn(folder: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(PUBLIC_SUFFIX));
  return new Map(
    names.map((name) => {
      const path = join(folder, name);
      const key = readCurveKey(readSecret(path), "public-key", path);
      return [key, name.slice(0, -PUBLIC_SUFFIX.length)];
    }),
  );
}
