import type { MetricStore, StoredPoint } from "../experiment/domain/storage-ports.js";
import type { Metric } from "./tracking-server.js";

/** Points of a series to be sent; call `taken` once they are. */
interface Part {
  readonly metrics: readonly Metric[];
  readonly taken: () => void;
}

/** Exports a series of metric points piece by piece. */
export class SeriesExport {
  readonly #key: string;
  readonly #taskId: string;
  readonly #name: string;
  #nextStep = 0;
  #numTaken = 0;
  #rewoundAt = 0;
  /** Number of its points in the store. */
  numStored = 0;

  /** @param key its name in MLflow */
  constructor(key: string, taskId: string, name: string) {
    this.#key = key;
    this.#taskId = taskId;
    this.#name = name;
  }

  /** @param room most points that are wanted */
  next(store: MetricStore, room: number): Part {
    if (room === 0 || this.#numTaken >= this.numStored) return NOTHING;
    const points = store.points(this.#taskId, this.#name, this.#nextStep, room);
    const last = points.at(-1);
    if (last === undefined) return this.#rewound(store, room);
    return {
      metrics: points.map((point) => metricOf(this.#key, point)),
      taken: () => {
        this.#nextStep = last.step + 1;
        this.#numTaken += points.length;
      },
    };
  }

  /**
   * Points of a lost attempt may arrive after those of the next one; MLflow ignores points it has.
   */
  #rewound(store: MetricStore, room: number): Part {
    if (this.#rewoundAt === this.numStored) return NOTHING;
    this.#rewoundAt = this.numStored;
    this.#nextStep = 0;
    this.#numTaken = 0;
    return this.next(store, room);
  }
}

const NOTHING: Part = { metrics: [], taken: () => undefined };

function metricOf(key: string, { step, value, timeMs }: StoredPoint): Metric {
  return {
    key,
    value: Number.isFinite(value) ? value : (String(value) as Metric["value"]),
    timestamp: timeMs,
    step,
  };
}
