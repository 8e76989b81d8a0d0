import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";

/** "cpu" or "cuda": a task computes on any device of the kind that its spec names. */
export function deviceKind(device: string): string {
  return device.split(":")[0] ?? device;
}

/**
 * The spec as a worker gets it: with its own device where that is of the kind that is asked for.
 * One that shares its steps between devices keeps those that it names.
 */
export function specForDevice(
  spec: ExperimentSpec | undefined,
  device: string | undefined,
): ExperimentSpec | undefined {
  const { compute } = spec ?? {};
  if (!spec || !compute?.device || !device || (compute.numDevices ?? 1) > 1) return spec;
  if (deviceKind(compute.device) !== deviceKind(device)) return spec;
  return { ...spec, compute: { ...compute, device } };
}
