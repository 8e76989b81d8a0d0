import { promisify } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  type ArtifactServiceServer,
  ArtifactServiceService,
  type ExperimentServiceServer,
  ExperimentServiceService,
} from "../../generated/stillhouse/v1/service.js";
import { bracketed, reachable } from "../../security/network.js";
import type { Security } from "../../security/security.js";
import { guard } from "./guard.js";
import { CHANNEL_OPTIONS } from "./limits.js";

/** The gRPC server of a control plane on a port of its choice. */
export class GrpcServer {
  readonly #server: Server;
  readonly #credentials: ServerCredentials;

  /** @param security absent: whoever connects may do everything */
  constructor(
    experiments: ExperimentServiceServer,
    artifacts: ArtifactServiceServer,
    security?: Security,
  ) {
    this.#server = new Server({
      ...CHANNEL_OPTIONS,
      interceptors: security ? [guard(security)] : [],
    });
    this.#credentials = credentialsOf(security);
    this.#server.addService(ExperimentServiceService, experiments);
    this.#server.addService(ArtifactServiceService, artifacts);
  }

  /**
   * @param host address to listen on
   * @returns where this machine reaches it, HOST:PORT
   */
  async listen(host = "127.0.0.1"): Promise<string> {
    const bind = promisify(this.#server.bindAsync.bind(this.#server));
    const port = await bind(`${bracketed(host)}:0`, this.#credentials);
    return `${bracketed(reachable(host))}:${port}`;
  }

  /** Takes no new calls, lets running ones end for a while, then cuts them off. */
  async stop(graceMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const cutOff = setTimeout(() => this.#server.forceShutdown(), graceMs);
    await ended;
    clearTimeout(cutOff);
  }
}

function credentialsOf(security: Security | undefined): ServerCredentials {
  if (!security?.keys) return ServerCredentials.createInsecure();
  const { keys, requiresClientCertificate } = security;
  const { authority, certificate, key } = keys.tls;
  const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) };
  return ServerCredentials.createSsl(Buffer.from(authority), [pair], requiresClientCertificate);
}
