import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { completedSpec } from "../../settings/earlier-spec.js";
import { computeNeeds } from "../domain/compute-needs.js";

/** What a task computes on. */
export interface DeviceNeeds {
  /** Such as "cpu", "cuda" or "cuda:1". */
  readonly device: string;
  /** CUDA devices that it takes, from `device` on. */
  readonly numDevices: number;
  /** Processes that share its steps, of one worker or of a team of as many. */
  readonly numMembers: number;
}

/** "cpu" or "cuda": a task computes on any device of the kind that its spec names. */
export function deviceKind(device: string): string {
  const colon = device.indexOf(":");
  return colon === -1 ? device : device.slice(0, colon);
}

/** @param sharesSteps whether the task is one whose steps devices can share: a distillation */
export function deviceNeeds(spec: ExperimentSpec | undefined, sharesSteps: boolean): DeviceNeeds {
  return needsOf(computeNeeds(spec), sharesSteps);
}

/** As `deviceNeeds`. @param most what a distillation of the experiment takes */
export function needsOf(
  { device, numDevices }: Pick<DeviceNeeds, "device" | "numDevices">,
  sharesSteps: boolean,
): DeviceNeeds {
  const numMembers = sharesSteps ? numDevices : 1;
  return { device, numDevices: deviceKind(device) === "cuda" ? numMembers : 1, numMembers };
}

/** What a worker of a team has of the task. */
export function needsOfMember(needs: DeviceNeeds): DeviceNeeds {
  return { ...needs, numDevices: 1 };
}

/**
 * The devices that a task computes on when a worker with this one has it: this one, or those that
 * its spec names where it needs several.
 */
export function devicesFor({ device, numDevices }: DeviceNeeds, workerDevice: string): string[] {
  if (numDevices === 1) return [workerDevice];
  const first = Number(device.split(":")[1] ?? 0);
  return Array.from({ length: numDevices }, (_, at) => `cuda:${first + at}`);
}

/** The spec as a worker gets it: complete, with the first device that the task computes on there. */
export function specForWorker(
  spec: ExperimentSpec | undefined,
  needs: DeviceNeeds,
  workerDevice: string,
): ExperimentSpec | undefined {
  const complete = spec && completedSpec(spec);
  if (!complete?.compute || deviceKind(needs.device) !== deviceKind(workerDevice)) return complete;
  const [device] = devicesFor(needs, workerDevice);
  return { ...complete, compute: { ...complete.compute, device } };
}
