import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { cannotListen } from "../../errors.js";
import { ConnectionLimits } from "../../security/connection-limits.js";
import { bracketed } from "../../security/network.js";
import type { Security } from "../../security/security.js";
import { boundedMessages } from "./bounded-messages.js";
import { FrontDoor } from "./front-door.js";
import { guard } from "./guard.js";
import { Health } from "./health.js";
import { SERVER_OPTIONS } from "./limits.js";
import { addReflection } from "./reflection.js";

/** A service of the protos with its implementation. */
export interface Service {
  readonly definition: ServiceDefinition;
  readonly methods: UntypedServiceImplementation;
}

export interface GrpcLimits {
  readonly connections: ConnectionLimits;
  /** A connection that has made no call by then is closed. */
  readonly firstCallMs?: number;
}

/** The gRPC server of a control plane. */
export class GrpcServer {
  readonly #server: Server;
  readonly #door: FrontDoor;
  readonly #credentials: ServerCredentials;
  readonly #health: Health;

  /**
   * @param security where absent, everybody who connects may do everything
   * @param limits of connections
   */
  constructor(services: readonly Service[], security?: Security, limits = UNLIMITED) {
    this.#door = new FrontDoor(limits.connections, limits.firstCallMs);
    this.#server = new Server({
      ...SERVER_OPTIONS,
      interceptors: [
        this.#door.interceptor(),
        ...(security ? [guard(security)] : []),
        boundedMessages(),
      ],
    });
    this.#credentials = credentialsOf(security);
    for (const { definition, methods } of services) this.#server.addService(definition, methods);
    this.#health = new Health(services.map(nameOf));
    this.#health.addToServer(this.#server);
    addReflection(this.#server);
  }

  /** Sets what the health service says: whether calls are accepted. */
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
    const injector = this.#server.createConnectionInjector(this.#credentials);
    try {
      return await this.#door.listen(host, port, injector);
    } catch (error) {
      throw cannotListen("gRPC", `${bracketed(host)}:${port}`, error as Error);
    }
  }

  /** Takes no new calls, lets running ones end for a while, then cuts them off. */
  async stop(graceMs: number): Promise<void> {
    this.#door.close();
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const cutOff = setTimeout(() => this.#server.forceShutdown(), graceMs);
    await ended;
    clearTimeout(cutOff);
  }
}

const UNLIMITED: GrpcLimits = { connections: new ConnectionLimits(Infinity, Infinity) };

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
