/**
 * The files in a party's folder of keys. All parties use the same names, so that one flag names the
 * folder, and it can be copied unchanged to the machine where the party runs.
 */
export const KEY_FILES = {
  /** Certificate of the authority that the other side is checked against. */
  authority: "ca.crt",
  certificate: "tls.crt",
  key: "tls.key",
  /** Own pair of CURVE keys. */
  curve: "curve.key_secret",
  /** At a worker: the control plane's public CURVE key. */
  controlPlane: "control-plane.key",
  /** At the control plane: a folder with the public CURVE key of each worker that may join. */
  workers: "workers",
  /** Bearer token. */
  token: "token",
  /** The name in the server's certificate, if clients use another one; the file may be missing. */
  serverName: "server-name",
} as const;

/** Folders of the parties within a folder that `npm run keys` has created. */
export const PARTIES = {
  authority: "ca",
  server: "server",
  client: "client",
  worker: (name: string) => `workers/${name}`,
} as const;
