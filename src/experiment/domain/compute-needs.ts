import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";

export interface ComputeNeeds {
  /** Such as "cpu" or "cuda:1". */
  readonly device: string;
  /** That share the steps of a distillation. */
  readonly numDevices: number;
  /** Of each device, for each task; 0 where it is not known. */
  readonly memoryMib: number;
}

/** What the tasks of an experiment compute on, also where its spec does not say. */
export function computeNeeds(spec: ExperimentSpec | undefined): ComputeNeeds {
  const { device = "cpu", numDevices = 1, memoryMib = 0 } = spec?.compute ?? {};
  return { device, numDevices, memoryMib };
}
