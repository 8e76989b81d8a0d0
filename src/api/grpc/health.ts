import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

/** Stands for the server as a whole. */
const WHOLE = "";

/** The standard health service: whether calls are taken, for the server and for each service. */
export class Health {
  readonly #names: readonly string[];
  readonly #implementation: HealthImplementation;

  /** @param serviceNames such as "stillhouse.v1.ExperimentService" */
  constructor(serviceNames: readonly string[]) {
    this.#names = [WHOLE, ...serviceNames];
    const statuses = this.#names.map((name) => [name, "NOT_SERVING" as const]);
    this.#implementation = new HealthImplementation(Object.fromEntries(statuses));
  }

  set isServing(isServing: boolean) {
    const status = isServing ? "SERVING" : "NOT_SERVING";
    for (const name of this.#names) this.#implementation.setStatus(name, status);
  }

  addToServer(server: Server): void {
    this.#implementation.addToServer(server);
  }
}
