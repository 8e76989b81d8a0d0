import { promisify } from "node:util";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { cannotListen } from "../../errors.js";
import { bracketed } from "../../security/network.js";
import type { Security } from "../../security/security.js";
import { boundedMessages } from "./bounded-messages.js";
import { guard } from "./guard.js";
import { Health } from "./health.js";
import { SERVER_OPTIONS } from "./limits.js";
import { addReflection } from "./reflection.js";

/** A service of the protos with what carries it out. */
export interface Service {
  readonly definition: ServiceDefinition;
  readonly methods: UntypedServiceImplementation;
}

/** The gRPC server of a control plane. */
export class GrpcServer {
  readonly #server: Server;
  readonly #credentials: ServerCredentials;
  readonly #health: Health;

  /**
   * @param security absent: whoever connects may do everything
   */
  constructor(services: readonly Service[], security?: Security) {
    this.#server = new Server({
      ...SERVER_OPTIONS,
      interceptors: [...(security ? [guard(security)] : []), boundedMessages()],
    });
    this.#credentials = credentialsOf(security);
    for (const { definition, methods } of services) this.#server.addService(definition, methods);
    this.#health = new Health(services.map(nameOf));
    this.#health.addToServer(this.#server);
    addReflection(this.#server);
  }

  /** What the health service tells: whether calls are taken. */
  set isServing(isServing: boolean) {
    this.#health.isServing = isServing;
  }

  /**
   * @param host address to bind
   * @param port 0 for one of the system's choice
   * @returns the port
   * @throws CONFLICT when the port is taken, INVALID when the address is not of this machine
   */
  async listen(host: string, port: number): Promise<number> {
    const bind = promisify(this.#server.bindAsync.bind(this.#server));
    const address = `${bracketed(host)}:${port}`;
    try {
      return await bind(address, this.#credentials);
    } catch (error) {
      throw cannotListen("gRPC", address, error as Error);
    }
  }

  /** Takes no new calls, lets running ones end for a while, then cuts them off. */
  async stop(graceMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const cutOff = setTimeout(() => this.#server.forceShutdown(), graceMs);
    await ended;
    clearTimeout(cutOff);
  }
}

/** Such as "stillhouse.v1.ExperimentService". */
function nameOf({ definition }: Service): string {
  const [method] = Object.values(definition);
  return method?.path.split("/")[1] ?? "";
}

function credentialsOf(security: Security | undefined): ServerCredentials {
  if (!security?.keys) return ServerCredentials.createInsecure();
  const { keys, requiresClientCertificate } = security;
  const { authority, certificate, key } = keys.tls;
  const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) };
  return ServerCredentials.createSsl(Buffer.from(authority), [pair], requiresClientCertificate);
}
