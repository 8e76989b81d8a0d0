import assert from "node:assert/strict";
import { describe } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { MetricPoint, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { quickSpec, resolvedSpec } from "../fixtures/experiments.js";
import { ask, type SentEvent, sentEvents } from "../fixtures/http-client.js";
import { OpenApiChecker } from "../fixtures/openapi-checker.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const HTTP = { http: { port: 0 } };
const EXPERIMENTS = "/api/v1/experiments";

async function collected(events: AsyncGenerator<SentEvent, void>): Promise<SentEvent[]> {
  const all: SentEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe("the HTTP interface", () => {
  it("has a description that is valid OpenAPI, and answers as it says", async (test) => {
    const plane = await TestPlane.start(test, HTTP);
    const { httpAddress } = plane.plane;
    const described = await ask(httpAddress, "GET", "/api/v1/openapi.json");
    const { valid, errors } = await new Validator().validate(described.body);
    assert.ok(valid, JSON.stringify(errors));
    const checker = new OpenApiChecker(described.body);

    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const asked = new Set<string>();
    const check = async (operation: string, path: string, body?: unknown) => {
      asked.add(operation);
      const [method = ""] = operation.split(" ");
      const answer = await ask(httpAddress, method.toUpperCase(), path, { body });
      const { status, mediaType } = answer;
      assert.deepEqual(checker.faults(operation, status, mediaType, answer.body), [], path);
      return answer;
    };
    const experiment = `${EXPERIMENTS}/${id}`;
    const assign = await worker.nextTask();
    const point = (sequence: bigint, name: string, step: bigint, value: number) =>
      MetricPoint.fromPartial({ sequence, name, step, value });
    const points = [
      point(1n, "outer_loss", 1n, 1),
      point(2n, "outer_loss", 2n, 0.5),
      point(3n, "outer_loss", 3n, 0.25),
      point(4n, "bad", 1n, Number.NaN),
    ];
    await worker.reported(assign, { $case: "metrics", value: { points } });
    await worker.finish(assign);
    await worker.finishNext();
    await plane.ended(id);
    const workers = await check("get /api/v1/workers", "/api/v1/workers");
    assert.equal(workers.body.workers[0].id, "tester");
    const drain = "/api/v1/workers/{id}:drain";
    assert.equal((await check(`post ${drain}`, "/api/v1/workers/nope:drain")).status, 404);
    const drained = await check(`post ${drain}`, "/api/v1/workers/tester:drain");
    assert.equal(drained.body.worker.state, "WORKER_STATE_DRAINING");
    const metricList = await check(`get ${EXPERIMENTS}/{id}/metrics`, `${experiment}/metrics`);
    const loss = metricList.body.metrics.find(
      ({ name }: { name: string }) => name === "outer_loss",
    );
    assert.deepEqual(loss.max, { step: "1", value: 1 });
    const seriesOf = (query: string) =>
      check(`get ${EXPERIMENTS}/{id}/series`, `${experiment}/series?${query}`);
    const series = await seriesOf("name=outer_loss&first_step=2");
    assert.deepEqual(series.body.series[0].steps, ["2", "3"]);
    assert.equal((await seriesOf("name=bad")).body.series[0].values[0], "NaN");
    assert.equal((await seriesOf("max_points=1")).body.error.field, "max_points");
    await worker.send({ $case: "goodbye", value: {} });

    const found = await check(`get ${EXPERIMENTS}/{id}`, experiment);
    assert.equal(found.body.experiment.state, "STATE_SUCCEEDED");
    assert.equal(found.body.experiment.tasks[1].result.learners.inits[0].accuracy, 0.9);
    assert.equal((await check(`get ${EXPERIMENTS}/{id}`, `${EXPERIMENTS}/nope`)).status, 404);
    const listed = await check(`get ${EXPERIMENTS}`, `${EXPERIMENTS}?page_size=1`);
    assert.deepEqual(
      listed.body.experiments.map((each: { id: string }) => each.id),
      [id],
    );
    const draftOf = (seed: number) => resolvedSpec((draft) => Object.assign(draft, { seed }));
    const spec = ExperimentSpec.toJSON(draftOf(8));
    const made = await check(`post ${EXPERIMENTS}`, EXPERIMENTS, { spec, request_id: "r" });
    assert.equal(made.status, 200, made.text);
    const again = await check(`post ${EXPERIMENTS}`, EXPERIMENTS, { spec, request_id: "r" });
    assert.equal(again.body.experiment.id, made.body.experiment.id);
    const other = `${EXPERIMENTS}/${made.body.experiment.id}`;
    const cancelled = await check(`post ${EXPERIMENTS}/{id}:cancel`, `${other}:cancel`);
    assert.equal(cancelled.body.experiment.state, "STATE_CANCELLED");
    const resumed = await check(`post ${EXPERIMENTS}/{id}:resume`, `${other}:resume`);
    assert.equal(resumed.body.experiment.state, "STATE_QUEUED");
    const conflict = await check(`post ${EXPERIMENTS}/{id}:cancel`, `${experiment}:cancel`);
    assert.equal(conflict.status, 409);
    await check(`post ${EXPERIMENTS}/{id}:cancel`, `${other}:cancel`);
    const retried = await check(`post ${EXPERIMENTS}/{id}:retry`, `${other}:retry`);
    assert.equal(retried.body.experiment.state, "STATE_QUEUED");
    const compared = await check(
      `get ${EXPERIMENTS}:compare`,
      `${EXPERIMENTS}:compare?id=${id}&id=${made.body.experiment.id}`,
    );
    const full = { field: "baseline.full", values: ["off", "on"] };
    assert.deepEqual(compared.body.differences[0], full);
    await check(`post ${EXPERIMENTS}/{id}:cancel`, `${other}:cancel`);
    const removed = await check(`delete ${EXPERIMENTS}/{id}`, other);
    assert.deepEqual(removed.body, {});
    const file = "/api/v1/artifacts/{id}/files/{name}";
    const whole = await check(`get ${file}`, `/api/v1/artifacts/${id}/files/m.json`);
    assert.equal(whole.text, "{}");
    await check(`get ${file}`, `/api/v1/artifacts/${id}/files/distilled.safetensors`);
    const specs = [ExperimentSpec.toJSON(draftOf(9)), ExperimentSpec.toJSON(draftOf(10))];
    const swept = await check("post /api/v1/sweeps", "/api/v1/sweeps", { name: "two", specs });
    assert.equal(swept.body.sweep?.experiment_ids.length, 2, swept.text);
    const sweep = await check("get /api/v1/sweeps/{id}", `/api/v1/sweeps/${swept.body.sweep.id}`);
    assert.deepEqual(sweep.body.sweep.counts, [{ state: "STATE_QUEUED", count: 2 }]);
    const sweeps = await check("get /api/v1/sweeps", "/api/v1/sweeps");
    assert.equal(sweeps.body.sweeps[0].name, "two");
    // This control plane has no Python to ask.
    const inspection = "/api/v1/artifacts/{id}/inspection";
    const seen = await check(`get ${inspection}`, `/api/v1/artifacts/${id}/inspection?top=3`);
    assert.equal(seen.body.error.kind, "FAILURE_KIND_ENVIRONMENT");
    const draft = { seed: 3 };
    const asks = await check(`post ${EXPERIMENTS}:resolve`, `${EXPERIMENTS}:resolve`, { draft });
    assert.equal(asks.body.error.kind, "FAILURE_KIND_ENVIRONMENT");
    const events = await check(`get ${EXPERIMENTS}/{id}/events`, `${experiment}/events`);
    assert.equal(events.status, 200);
    const settings = await check("get /api/v1/settings", "/api/v1/settings");
    const rate = settings.body.settings.find((each: { flag: string }) => each.flag === "inner-lr");
    assert.deepEqual(rate.default.study, { "inner.lr": 0.5 });
    await check("get /api/v1/whoami", "/api/v1/whoami");
    await check("get /api/v1/openapi.json", "/api/v1/openapi.json");
    assert.equal((await check("get /healthz", "/healthz")).status, 200);
    assert.equal((await check("get /readyz", "/readyz")).status, 200);
    const metrics = await check("get /metrics", "/metrics");
    assert.match(metrics.text, /^stillhouse_experiments_finished_total\{state="succeeded"\} 1$/m);
    assert.deepEqual([...asked].sort(), checker.operations.sort());
  });

  it("refuses what it does not know, and names the field", async (test) => {
    const { plane } = await TestPlane.start(test, HTTP);
    const spec = ExperimentSpec.toJSON(resolvedSpec()) as Record<string, object>;
    const cases: [path: string, body: unknown, field: string, message: RegExp][] = [
      [`${EXPERIMENTS}:resolve`, { draft: { sed: 3 } }, "sed", /did you mean seed/],
      [
        `${EXPERIMENTS}:resolve`,
        { draft: { inner: { lr: "0.1" } } },
        "inner.lr",
        /number, got 0\.1/,
      ],
      [`${EXPERIMENTS}:resolve`, { draft: { seed: 1.5 } }, "seed", /integer, got 1\.5/],
      [`${EXPERIMENTS}:resolve`, { draft: { preset: "STUDY" } }, "preset", /PRESET_STUDY/],
      [`${EXPERIMENTS}:resolve`, { draft: [] }, "draft", /object/],
      [`${EXPERIMENTS}:resolve`, {}, "draft", /must be set/],
      [EXPERIMENTS, { spec, requestId: "x" }, "requestId", /did you mean request_id/],
      [EXPERIMENTS, { spec: { ...spec, inner: { lr: -1 } } }, "inner.steps", /is not set/],
      [
        EXPERIMENTS,
        { spec, reuse_after: "2016-12-31T23:59:60Z" }, // a leap second
        "reuse_after",
        /must be a time between/,
      ],
      [EXPERIMENTS, "{", "", /not valid JSON/],
    ];
    for (const [path, body, field, message] of cases) {
      const { status, body: answer } = await ask(plane.httpAddress, "POST", path, { body });
      const what = `${path} ${JSON.stringify(body)?.slice(0, 80)}`;
      assert.equal(status, 400, what);
      assert.equal(answer.error.kind, "FAILURE_KIND_INVALID", what);
      assert.match(answer.error.message, message);
      assert.equal(answer.error.field, field, what);
    }
    const queries: [address: string, field: string][] = [
      [`${EXPERIMENTS}?page_size=many`, "page_size"],
      [`${EXPERIMENTS}?page_size=1001`, "page_size"],
      [`${EXPERIMENTS}?page_size=1&page_size=2`, "page_size"],
      [`${EXPERIMENTS}?pagesize=1`, "pagesize"],
      ["/api/v1/workers?page_token=of-another-list", "page_token"],
      [`${EXPERIMENTS}/a%00b`, "experiment_id"],
    ];
    for (const [address, field] of queries) {
      const answer = await ask(plane.httpAddress, "GET", address);
      assert.equal(answer.status, 400, address);
      assert.equal(answer.body.error.field, field);
    }
    const large = { draft: { name: "x".repeat(2_000_000) } };
    const tooLarge = await ask(plane.httpAddress, "POST", `${EXPERIMENTS}:resolve`, {
      body: large,
    });
    assert.equal(tooLarge.status, 413);
    assert.equal((await ask(plane.httpAddress, "GET", "/api/v1/nope")).status, 404);
    assert.equal((await ask(plane.httpAddress, "GET", `${EXPERIMENTS}/%ff`)).status, 400);
  });

  it("filters and orders what it lists, page by page", async (test) => {
    const plane = await TestPlane.start(test, HTTP);
    const ids: string[] = [];
    for (const seed of [1, 2, 3]) ids.push((await plane.client.create(quickSpec(seed), "")).id);
    await plane.client.cancel(ids[1] ?? "");
    const list = async (query: string) => {
      const { status, body, text } = await ask(
        plane.plane.httpAddress,
        "GET",
        `${EXPERIMENTS}?${query}`,
      );
      assert.equal(status, 200, text);
      return { ids: body.experiments?.map(({ id }: { id: string }) => id), ...body };
    };
    assert.deepEqual((await list("state=STATE_QUEUED")).ids, [ids[2], ids[0]]);
    assert.deepEqual(
      (await list("state=STATE_QUEUED&state=STATE_CANCELLED")).ids,
      ids.toReversed(),
    );
    assert.deepEqual((await list(`text=${ids[1]?.slice(0, 8)}`)).ids, [ids[1]]);
    const oldest = "order=EXPERIMENT_ORDER_OLDEST_FIRST&page_size=2";
    const first = await list(oldest);
    assert.deepEqual(first.ids, ids.slice(0, 2));
    const next = await list(`${oldest}&page_token=${encodeURIComponent(first.next_page_token)}`);
    assert.deepEqual(next.ids, ids.slice(2));
    assert.equal(next.next_page_token, undefined);
  });

  it("sends a part of a file, and nothing to a client that has it already", async (test) => {
    const plane = await TestPlane.start(test, HTTP);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const artifact = await worker.upload(assign, { "d.bin": "0123456789" });
    const result = TaskResult.fromPartial({ kind: { $case: "distill", value: { artifact } } });
    await worker.reported(assign, { $case: "result", value: result });
    const path = `/api/v1/artifacts/${id}/files/d.bin`;
    const get = (headers: Record<string, string>) =>
      ask(plane.plane.httpAddress, "GET", path, { headers });
    const whole = await get({});
    assert.equal(whole.text, "0123456789");
    assert.equal(whole.headers.etag, `"${artifact.files[0]?.sha256}"`);
    const part = await get({ range: "bytes=2-4" });
    assert.deepEqual([part.status, part.text], [206, "234"]);
    assert.equal(part.headers["content-range"], "bytes 2-4/10");
    const resumed = await get({ range: "bytes=8-", "if-range": String(whole.headers.etag) });
    assert.deepEqual([resumed.status, resumed.text], [206, "89"]);
    const changed = await get({ range: "bytes=8-", "if-range": '"other"' });
    assert.deepEqual([changed.status, changed.text], [200, "0123456789"]);
    assert.equal((await get({ range: "bytes=20-" })).status, 416);
    assert.equal((await get({ "if-none-match": String(whole.headers.etag) })).status, 304);
    for (const name of ["nope.bin", "..%2f..%2fstillhouse.db", "%2e%2e", ".hidden"]) {
      const other = await ask(plane.plane.httpAddress, "GET", path.replace("d.bin", name));
      assert.equal(other.status, 404, name);
      assert.equal(other.body.error.kind, "FAILURE_KIND_NOT_FOUND", name);
    }
  });

  it("sends events without gap or repeat, and continues after the last one seen", async (test) => {
    const plane = await TestPlane.start(test, HTTP);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const url = `${plane.plane.httpAddress}${EXPERIMENTS}/${id}/events`;
    const live = collected(sentEvents(url));
    await worker.finishNext();
    await worker.finishNext();
    const all = await live;
    assert.equal(all[0]?.data.experiment.id, id);
    assert.equal(all.at(-1)?.name, "end");
    const ids = all.flatMap(({ id: sequence }) => (sequence ? [Number(sequence)] : []));
    assert.deepEqual(
      ids,
      ids.map((_, index) => (ids[0] ?? 0) + index),
    );
    const middle = String(ids[2]);
    for (const rest of [
      await collected(sentEvents(`${url}?after=${middle}`)),
      await collected(sentEvents(url, { "last-event-id": middle })),
    ]) {
      const restIds = rest.flatMap(({ id: sequence }) => (sequence ? [Number(sequence)] : []));
      // The first event is the experiment itself, under the sequence number that was asked for.
      assert.deepEqual(restIds, ids.slice(2));
    }
    const wrong = await ask(
      plane.plane.httpAddress,
      "GET",
      `${EXPERIMENTS}/${id}/events?after=999`,
    );
    assert.equal(wrong.status, 400);
    assert.match(wrong.body.error.message, /must be at most/);
  });

  it("tells its watchers that it stops, and is not ready from then on", async (test) => {
    const plane = await TestPlane.start(test, HTTP);
    const { id } = await plane.client.create(quickSpec(), "");
    const events = sentEvents(`${plane.plane.httpAddress}${EXPERIMENTS}/${id}/events`);
    assert.equal((await events.next()).value?.data.experiment.id, id);
    const rest = collected(events);
    await plane.stop();
    const last = (await rest).at(-1);
    assert.equal(last?.name, "failure");
    assert.equal(last?.data.error.kind, "FAILURE_KIND_UNAVAILABLE");
    await assert.rejects(ask(plane.plane.httpAddress, "GET", "/readyz"));
  });

  it("keeps other sites out and requests nothing from other hosts", async (test) => {
    const { plane } = await TestPlane.start(test, HTTP);
    const { httpAddress } = plane;
    const page = await ask(httpAddress, "GET", "/experiments/some-id");
    const policy = String(page.headers["content-security-policy"]);
    assert.match(policy, /default-src 'self'/);
    assert.doesNotMatch(policy, /https?:|\*/);
    assert.equal(page.headers["x-content-type-options"], "nosniff");
    assert.equal(page.headers["x-powered-by"], undefined);
    const origin = "http://evil.example";
    const foreign = await ask(httpAddress, "POST", `${EXPERIMENTS}/x:cancel`, {
      headers: { origin },
    });
    assert.equal(foreign.status, 403);
    const own = await ask(httpAddress, "POST", `${EXPERIMENTS}/x:cancel`, {
      headers: { origin: httpAddress },
    });
    assert.equal(own.status, 404);
    const { port } = new URL(httpAddress);
    const host = `evil.example:${port}`;
    const { status } = await ask(httpAddress, "GET", "/healthz", { headers: { host } });
    assert.equal(status, 403);
  });
});
