/** Which worker uses which connection, according to its hello. */
export class Connections {
  readonly #workerIds = new Map<string, string>();
  readonly #routingIds = new Map<string, Buffer>();

  /** The worker is reached here from now on; what comes on its earlier connection is nobody's. */
  bind(workerId: string, routingId: Buffer): void {
    this.unbind(workerId);
    const before = this.#workerIds.get(keyOf(routingId));
    if (before !== undefined) this.unbind(before);
    this.#workerIds.set(keyOf(routingId), workerId);
    this.#routingIds.set(workerId, routingId);
  }

  unbind(workerId: string): void {
    const routingId = this.#routingIds.get(workerId);
    if (routingId !== undefined) this.#workerIds.delete(keyOf(routingId));
    this.#routingIds.delete(workerId);
  }

  workerAt(routingId: Buffer): string | undefined {
    return this.#workerIds.get(keyOf(routingId));
  }

  of(workerId: string): Buffer | undefined {
    return this.#routingIds.get(workerId);
  }
}

function keyOf(routingId: Buffer): string {
  return routingId.toString("hex");
}
