import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type {
  CompareExperimentsResponse,
  GetMetricSeriesResponse,
  ListExperimentsResponse,
  ListSweepsResponse,
  ListWorkersResponse,
  ResolveExperimentResponse,
  Sweep,
  Worker,
} from "../../generated/stillhouse/v1/service.js";
import { type Inspection, inspectionView } from "../model/inspection-view.js";
import { type SettingView, settingViews } from "../model/settings-view.js";
import { everyPage } from "./every-page.js";
import { call, ServerError, send } from "./http.js";
import type { Identity } from "./session.js";
import { fromWire, type Wire } from "./wire.js";

export interface ExperimentQuery {
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly states?: readonly string[];
  readonly dataset?: string;
  readonly model?: string;
  readonly owner?: string;
  readonly sweepId?: string;
  readonly text?: string;
  readonly order?: string;
}

export interface SeriesQuery {
  readonly names?: readonly string[];
  readonly maxPoints: number;
  readonly firstStep?: number;
  readonly lastStep?: number;
}

export function whoAmI(): Promise<Identity> {
  return call("whoami") as Promise<Identity>;
}

let settings: Promise<readonly SettingView[]> | undefined;

/** The table of settings; asked for once, since it changes with the server's version only. */
export function getSettings(): Promise<readonly SettingView[]> {
  settings ??= call("settings").then(settingViews);
  settings.catch(() => {
    settings = undefined;
  });
  return settings;
}

export async function listExperiments(
  query: ExperimentQuery,
  signal?: AbortSignal,
): Promise<Wire<ListExperimentsResponse>> {
  const { pageSize, pageToken, states = [], sweepId, ...rest } = query;
  const path = withQuery("experiments", {
    ...rest,
    page_size: pageSize,
    page_token: pageToken,
    sweep_id: sweepId,
    state: states,
  });
  return fromWire<ListExperimentsResponse>(await call(path, { signal }));
}

export async function getExperiment(id: string, signal?: AbortSignal): Promise<Wire<Experiment>> {
  return experimentIn(await call(`experiments/${encodeURIComponent(id)}`, { signal }));
}

export type ExperimentAction = "cancel" | "resume" | "retry";

export async function act(id: string, action: ExperimentAction): Promise<Wire<Experiment>> {
  const path = `experiments/${encodeURIComponent(id)}:${action}`;
  return experimentIn(await call(path, { method: "POST", body: {} }));
}

export async function deleteExperiment(id: string): Promise<void> {
  await call(`experiments/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export async function getSeries(
  id: string,
  { names, maxPoints, firstStep, lastStep }: SeriesQuery,
  signal?: AbortSignal,
): Promise<Wire<GetMetricSeriesResponse>> {
  const path = withQuery(`experiments/${encodeURIComponent(id)}/series`, {
    name: names ?? [],
    max_points: maxPoints,
    first_step: firstStep,
    last_step: lastStep,
  });
  return fromWire(await call(path, { signal }));
}

export async function compareExperiments(
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<Wire<CompareExperimentsResponse>> {
  return fromWire(await call(withQuery("experiments:compare", { id: ids }), { signal }));
}

/** Fills in a draft; nothing is stored. The answer's spec is what `createExperiment` takes. */
export async function resolveDraft(
  draft: object,
): Promise<{ readonly spec: unknown; readonly answer: Wire<ResolveExperimentResponse> }> {
  const json = await call("experiments:resolve", { method: "POST", body: { draft } });
  return { spec: (json as { spec: unknown }).spec, answer: fromWire(json) };
}

/** @param requestId the same one again gives the experiment that the first call made */
export async function createExperiment(
  spec: unknown,
  requestId: string,
  priority: number,
): Promise<Wire<Experiment>> {
  const body = { spec, request_id: requestId, ...(priority === 0 ? {} : { priority }) };
  return experimentIn(await call("experiments", { method: "POST", body }));
}

export async function inspectArtifact(id: string, signal?: AbortSignal): Promise<Inspection> {
  const path = `artifacts/${encodeURIComponent(id)}/inspection?top=8`;
  return inspectionView(await call(path, { signal }));
}

export function artifactFilePath(artifactId: string, name: string): string {
  return `artifacts/${encodeURIComponent(artifactId)}/files/${encodeURIComponent(name)}`;
}

/** Names of the classes in the order of their indices, as the manifest has them. */
export async function classNamesOf(
  artifactId: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const manifest = await call(artifactFilePath(artifactId, "manifest.json"), { signal });
  return (manifest as { dataset: { class_names: readonly string[] } }).dataset.class_names;
}

/** A file as the browser would save it; a link could not carry the token. */
export async function readFile(path: string): Promise<Blob> {
  const response = await send(path, {});
  if (!response.ok)
    throw new ServerError(`The server answered ${response.status}`, response.status, "");
  return response.blob();
}

/** Every worker. */
export function listWorkers(signal?: AbortSignal): Promise<Wire<Worker>[]> {
  return everyPage(async (pageToken) => {
    const json = await call(withQuery("workers", { page_token: pageToken }), { signal });
    const { workers = [], nextPageToken = "" } = fromWire<ListWorkersResponse>(json);
    return { items: workers, nextPageToken };
  });
}

export async function drainWorker(id: string): Promise<void> {
  await call(`workers/${encodeURIComponent(id)}:drain`, { method: "POST", body: {} });
}

export async function listSweeps(
  pageToken: string,
  signal?: AbortSignal,
): Promise<Wire<ListSweepsResponse>> {
  return fromWire(await call(withQuery("sweeps", { page_token: pageToken }), { signal }));
}

export async function getSweep(id: string, signal?: AbortSignal): Promise<Wire<Sweep>> {
  const json = await call(`sweeps/${encodeURIComponent(id)}`, { signal });
  return fromWire<{ sweep: Sweep }>(json).sweep ?? {};
}

function experimentIn(json: unknown): Wire<Experiment> {
  return fromWire<{ experiment: Experiment }>(json).experiment ?? {};
}

type QueryValue = string | number | readonly string[] | undefined;

/** Leaves out what is not set. */
function withQuery(path: string, values: Readonly<Record<string, QueryValue>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}
