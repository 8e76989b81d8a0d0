import type { Experiment, State } from "../../generated/page/stillhouse/v1/experiment.js";
import {
  CancelExperimentResponse,
  CompareExperimentsResponse,
  CreateExperimentResponse,
  type ExperimentOrder,
  GetExperimentResponse,
  GetMetricSeriesResponse,
  GetSweepResponse,
  ListExperimentsResponse,
  ListSweepsResponse,
  ListWorkersResponse,
  ResolveExperimentResponse,
  ResumeExperimentResponse,
  RetryExperimentResponse,
  type Sweep,
  type Worker,
} from "../../generated/page/stillhouse/v1/service.js";
import {
  type Inspection,
  type InspectionDocument,
  inspectionView,
} from "../model/inspection-view.js";
import type { SettingsDocument, SettingView } from "../model/settings-view.js";
import { everyPage } from "./every-page.js";
import { type CallOptions, call, ServerError, send } from "./http.js";
import type { Identity } from "./session.js";

export interface ExperimentQuery {
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly states?: readonly State[];
  readonly dataset?: string;
  readonly model?: string;
  readonly owner?: string;
  readonly sweepId?: string;
  readonly text?: string;
  readonly order?: ExperimentOrder;
}

export interface SeriesQuery {
  readonly names?: readonly string[];
  readonly maxPoints: number;
  readonly firstStep?: number;
  readonly lastStep?: number;
}

export function whoAmI(): Promise<Identity> {
  return call<Identity>("whoami");
}

let settings: Promise<readonly SettingView[]> | undefined;

/** The table of settings; requested once, since only another version of the server changes it. */
export function getSettings(): Promise<readonly SettingView[]> {
  settings ??= call<SettingsDocument>("settings").then(({ settings }) => settings);
  settings.catch(() => {
    settings = undefined;
  });
  return settings;
}

export async function listExperiments(
  query: ExperimentQuery,
  signal?: AbortSignal,
): Promise<ListExperimentsResponse> {
  const { pageSize, pageToken, states = [], sweepId, ...rest } = query;
  const path = withQuery("experiments", {
    ...rest,
    page_size: pageSize,
    page_token: pageToken,
    sweep_id: sweepId,
    state: states,
  });
  return ask(ListExperimentsResponse, path, { signal });
}

export async function getExperiment(id: string, signal?: AbortSignal): Promise<Experiment> {
  return experimentIn(await ask(GetExperimentResponse, pathOf(id), { signal }));
}

const ACTIONS = {
  cancel: CancelExperimentResponse,
  resume: ResumeExperimentResponse,
  retry: RetryExperimentResponse,
} as const;

export type ExperimentAction = keyof typeof ACTIONS;

export async function act(id: string, action: ExperimentAction): Promise<Experiment> {
  const path = `${pathOf(id)}:${action}`;
  return experimentIn(await ask(ACTIONS[action], path, { method: "POST", body: {} }));
}

export async function deleteExperiment(id: string): Promise<void> {
  await call(pathOf(id), { method: "DELETE" });
}

export async function getSeries(
  id: string,
  { names, maxPoints, firstStep, lastStep }: SeriesQuery,
  signal?: AbortSignal,
): Promise<GetMetricSeriesResponse> {
  const path = withQuery(`${pathOf(id)}/series`, {
    name: names ?? [],
    max_points: maxPoints,
    first_step: firstStep,
    last_step: lastStep,
  });
  return ask(GetMetricSeriesResponse, path, { signal });
}

export async function compareExperiments(
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<CompareExperimentsResponse> {
  return ask(CompareExperimentsResponse, withQuery("experiments:compare", { id: ids }), { signal });
}

/** Fills in a draft; nothing is stored. */
export interface Resolved {
  /** As the server wrote it, since `createExperiment` takes it in that form. */
  readonly spec: unknown;
  readonly answer: ResolveExperimentResponse;
}

export async function resolveDraft(draft: object): Promise<Resolved> {
  const options = { method: "POST", body: { draft } } as const;
  const json = await call<{ readonly spec: unknown }>("experiments:resolve", options);
  return { spec: json.spec, answer: ResolveExperimentResponse.fromJSON(json) };
}

/** @param requestId the same one again returns the experiment that the first call created */
export async function createExperiment(
  spec: unknown,
  requestId: string,
  priority: number,
): Promise<Experiment> {
  const body = { spec, request_id: requestId, ...(priority === 0 ? {} : { priority }) };
  return experimentIn(await ask(CreateExperimentResponse, "experiments", { method: "POST", body }));
}

export async function inspectArtifact(id: string, signal?: AbortSignal): Promise<Inspection> {
  const path = `artifacts/${encodeURIComponent(id)}/inspection?top=8`;
  return inspectionView(await call<InspectionDocument>(path, { signal }));
}

export function artifactFilePath(artifactId: string, name: string): string {
  return `artifacts/${encodeURIComponent(artifactId)}/files/${encodeURIComponent(name)}`;
}

interface Manifest {
  readonly dataset: { readonly class_names: readonly string[] };
}

/** Names of the classes in the order of their indices, as the manifest has them. */
export async function classNamesOf(
  artifactId: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const path = artifactFilePath(artifactId, "manifest.json");
  const { dataset } = await call<Manifest>(path, { signal });
  return dataset.class_names;
}

/** A file as the browser would save it; a link could not carry the token. */
export async function readFile(path: string): Promise<Blob> {
  const response = await send(path, {});
  if (!response.ok)
    throw new ServerError(`The server answered ${response.status}`, response.status, "");
  return response.blob();
}

/** Every worker. */
export function listWorkers(signal?: AbortSignal): Promise<Worker[]> {
  return everyPage(async (pageToken) => {
    const path = withQuery("workers", { page_token: pageToken });
    const { workers, nextPageToken } = await ask(ListWorkersResponse, path, { signal });
    return { items: workers, nextPageToken };
  });
}

export async function drainWorker(id: string): Promise<void> {
  await call(`workers/${encodeURIComponent(id)}:drain`, { method: "POST", body: {} });
}

export function listSweeps(pageToken: string, signal?: AbortSignal): Promise<ListSweepsResponse> {
  return ask(ListSweepsResponse, withQuery("sweeps", { page_token: pageToken }), { signal });
}

export async function getSweep(id: string, signal?: AbortSignal): Promise<Sweep> {
  const path = `sweeps/${encodeURIComponent(id)}`;
  const { sweep } = await ask(GetSweepResponse, path, { signal });
  if (sweep === undefined) throw new Error(`The server returned no sweep for ${path}`);
  return sweep;
}

/** Calls the REST interface, and parses its answer as a message. */
async function ask<Answer>(
  answer: { fromJSON(json: unknown): Answer },
  path: string,
  options: CallOptions,
): Promise<Answer> {
  return answer.fromJSON(await call(path, options));
}

function pathOf(experimentId: string): string {
  return `experiments/${encodeURIComponent(experimentId)}`;
}

function experimentIn({ experiment }: { readonly experiment?: Experiment | undefined }) {
  if (experiment === undefined) throw new Error("The server returned no experiment");
  return experiment;
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
