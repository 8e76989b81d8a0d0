/**
 * The files in a party's folder of keys. The same names for all, so that one flag names all of it
 * and the folder can be copied as it is to the machine where the party runs.
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
  /** Name in the server's certificate where it is reached by another one; a file that may lack. */
  serverName: "server-name",
} as const;

/** Folders of the parties within a folder that `npm run keys` has made. */
export const PARTIES = {
  authority: "ca",
  server: "server",
  client: "client",
  worker: (name: string) => `workers/${name}`,
} as const;
