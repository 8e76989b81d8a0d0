import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";

import type { ExperimentFeed } from "../../../src/dashboard/views/experiment/feed.js";
import { until } from "../../fixtures/waiting.js";

/** A server whose stream and whose answers about curves come when the test says so. */
class ScriptedServer {
  readonly asked: string[] = [];
  readonly #series: ((steps: readonly number[]) => void)[] = [];
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  connect: () => void = () => {};

  constructor(test: TestContext) {
    test.mock.method(globalThis, "fetch", (url: string) => this.#answer(url));
  }

  send(event: object, name = "message"): void {
    const text = `event: ${name}\ndata: ${JSON.stringify(event)}\n\n`;
    this.#stream?.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.send({}, "end");
    this.#stream?.close();
  }

  point(step: number): void {
    const points = [{ name: "outer_loss", step: String(step), value: step }];
    this.send({ experiment_id: "x", task_id: "t", metrics: { points } });
  }

  /** Answers the question about curves that was asked last. */
  async answerSeries(steps: readonly number[]): Promise<void> {
    (await until(() => this.#series.pop()))(steps);
  }

  #answer(url: string): Promise<Response> {
    this.asked.push(url);
    if (url.endsWith("/events")) return this.#events();
    if (url.includes("/series")) {
      return new Promise((resolve) => {
        this.#series.push((steps) => {
          const series = { task_id: "t", name: "outer_loss", steps, values: steps };
          resolve(Response.json({ series: [{ ...series, num_points: String(steps.length) }] }));
        });
      });
    }
    return Promise.resolve(Response.json({ experiment: { id: "x", state: "STATE_RUNNING" } }));
  }

  #events(): Promise<Response> {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller;
      },
    });
    return new Promise((resolve) => {
      this.connect = () => resolve(new Response(body));
    });
  }
}

/** The page's session is kept by the browser, which is asked when the module is loaded. */
async function openFeed(test: TestContext): Promise<ExperimentFeed> {
  const value = { getItem: () => null };
  Object.defineProperty(globalThis, "sessionStorage", { value, configurable: true });
  test.after(() => Reflect.deleteProperty(globalThis, "sessionStorage"));
  const module = await import("../../../src/dashboard/views/experiment/feed.js");
  const feed = new module.ExperimentFeed("x");
  test.after(() => feed.close());
  return feed;
}

const steps = (feed: ExperimentFeed) => feed.curves.value[0]?.steps ?? [];
const asksSeries = (server: ScriptedServer) =>
  server.asked.filter((url) => url.includes("/series")).length;

it("curves have every point, whether the stream or the answer is late", async (test) => {
  const server = new ScriptedServer(test);
  const feed = await openFeed(test);
  await until(() => server.asked.some((url) => url.endsWith("/events")));
  assert.equal(asksSeries(server), 0, "what is answered before the stream begins leaves a gap");
  server.connect();
  await until(() => asksSeries(server) === 1);
  server.point(3);
  await until(() => steps(feed).includes(3));
  await server.answerSeries([1, 2]);
  await until(() => steps(feed).includes(1));
  assert.deepEqual(steps(feed), [1, 2, 3], "an answer that is older than a point keeps it");
});

it("curves are complete at the end, even if a slow page was not sent every point", async (test) => {
  const server = new ScriptedServer(test);
  const feed = await openFeed(test);
  await until(() => server.asked.some((url) => url.endsWith("/events")));
  server.connect();
  await server.answerSeries([1]);
  await until(() => steps(feed).length === 1);
  server.end();
  await until(() => asksSeries(server) === 2);
  await server.answerSeries([1, 2, 3, 4]);
  await until(() => steps(feed).length === 4);
});
