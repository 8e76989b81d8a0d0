import { promisify } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  type ArtifactServiceServer,
  ArtifactServiceService,
  type ExperimentServiceServer,
  ExperimentServiceService,
} from "../../generated/stillhouse/v1/service.js";
import { CHANNEL_OPTIONS } from "./limits.js";

/** Only this machine reaches it: there are no users and no encryption yet to tell others apart. */
const LOOPBACK_ANY_PORT = "127.0.0.1:0";

/** The gRPC server of a control plane on a loopback port of its choice. */
export class GrpcServer {
  readonly #server = new Server(CHANNEL_OPTIONS);

  constructor(experiments: ExperimentServiceServer, artifacts: ArtifactServiceServer) {
    this.#server.addService(ExperimentServiceService, experiments);
    this.#server.addService(ArtifactServiceService, artifacts);
  }

  /** @returns the address, HOST:PORT */
  async listen(): Promise<string> {
    const bind = promisify(this.#server.bindAsync.bind(this.#server));
    const port = await bind(LOOPBACK_ANY_PORT, ServerCredentials.createInsecure());
    return `127.0.0.1:${port}`;
  }

  /** Takes no new calls, lets running ones end for a while, then cuts them off. */
  async stop(graceMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const cutOff = setTimeout(() => this.#server.forceShutdown(), graceMs);
    await ended;
    clearTimeout(cutOff);
  }
}
