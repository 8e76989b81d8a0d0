import type { Browser, Page } from "playwright-core";
import { LONG_RUN } from "./filled-home.js";
import { type Measured, median, repeated } from "./measured.js";

export interface Served {
  readonly browser: Browser;
  /** http://HOST:PORT of a control plane with a filled home. */
  readonly address: string;
  /** Number of points of the long run. */
  readonly numPoints: number;
  readonly repetitions: number;
}

/** A first visit: nothing is in the browser's cache. */
export async function firstView(served: Served): Promise<Measured[]> {
  const visits = await repeated(served.repetitions, async () => {
    const page = await opened(served);
    await page.goto("/");
    await page.locator("tbody tr").nth(40).waitFor();
    const numbers = await page.evaluate(`(() => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0];
      const scripts = performance.getEntriesByType("resource").filter(({ name }) => /\\.js$/.test(name));
      return [paint.startTime, window.rowsAt, scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) / 1000];
    })()`);
    await page.context().close();
    return numbers as [number, number, number];
  });
  const column = (at: number) => median(visits.map((visit) => visit[at] ?? Number.NaN));
  return [
    { what: "first contentful paint", value: column(0), unit: "ms" },
    { what: "first meaningful paint: the rows of the table", value: column(1), unit: "ms" },
    { what: "script for the first view, compressed", value: column(2), unit: "kB" },
  ];
}

/** Times of opening a long run, choosing a part of it, and moving over its charts. */
export async function longRun(served: Served): Promise<Measured[]> {
  const page = await opened(served);
  const chart = page.getByRole("img", { name: /^Loss\./ });
  const openings = await repeated(served.repetitions, async () => {
    const start = performance.now();
    await page.goto(`/experiments/${LONG_RUN}`);
    await chart.locator("canvas").waitFor();
    return performance.now() - start;
  });
  const numSteps = Math.floor(served.numPoints / 2);
  let part = 0;
  const zooms = await repeated(served.repetitions, async () => {
    part += 1;
    const first = Math.floor((numSteps * part) / 20);
    await page.getByLabel("First step").fill(String(first));
    await page.getByLabel("Last step").fill(String(first + 1000));
    const start = performance.now();
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page
      .getByRole("img", {
        name: new RegExp(`^Loss\\..*to step ${(first + 1000).toLocaleString("en-US")},`),
      })
      .waitFor();
    return performance.now() - start;
  });
  await page.getByRole("button", { name: "All steps" }).click();
  const box = await chart.boundingBox();
  if (box === null) throw new Error("the chart is not on the page");
  const frames = page.evaluate(`new Promise((resolve) => {
    let count = 0;
    const start = performance.now();
    const next = (now) => {
      count += 1;
      if (now - start < 2000) requestAnimationFrame(next);
      else resolve((count * 1000) / (now - start));
    };
    requestAnimationFrame(next);
  })`);
  for (let at = 0; at < 60; at++) await page.mouse.move(box.x + 60 + at * 5, box.y + 80);
  const rate = Number(await frames);
  await page.context().close();
  return [
    { what: "the long run: opened and drawn", value: median(openings), unit: "ms" },
    { what: "a part of it chosen, asked for and drawn", value: median(zooms), unit: "ms" },
    { what: "moving over its charts", value: rate, unit: "frames/s" },
  ];
}

/** Times of sorting, grouping and searching the table of experiments. */
export async function table(served: Served): Promise<Measured[]> {
  const page = await opened(served);
  await page.goto("/");
  await page.locator("tbody tr").nth(40).waitFor();
  const { repetitions } = served;
  const header = page.getByRole("button", { name: "Accuracy %" });
  const sorts = await repeated(repetitions, () => changed(page, () => header.click()));
  const groupBy = page.getByLabel("Group by");
  let isGrouped = false;
  const groupings = await repeated(repetitions, () => {
    isGrouped = !isGrouped;
    return changed(page, () => groupBy.selectOption(isGrouped ? "sl" : "steps"));
  });
  await groupBy.selectOption("");
  let number = 0;
  const searches = await repeated(repetitions, () => {
    number += 1;
    return changed(page, () => page.getByLabel("Name, id or setting").fill(`run ${number}7`));
  });
  await page.context().close();
  return [
    { what: "sorted by accuracy, by the server", value: median(sorts), unit: "ms" },
    { what: "grouped by a setting", value: median(groupings), unit: "ms" },
    {
      what: "searched by name (250 ms of it waits for the next key)",
      value: median(searches),
      unit: "ms",
    },
  ];
}

async function opened({ browser, address }: Served): Promise<Page> {
  const context = await browser.newContext({
    baseURL: address,
    viewport: { width: 1280, height: 900 },
  });
  const page = await context.newPage();
  await page.addInitScript(`
    new MutationObserver(() => {
      window.changedAt = performance.now();
      window.rowsAt ??= document.querySelector("tbody tr td") ? performance.now() : undefined;
    }).observe(document, { childList: true, subtree: true, characterData: true });
  `);
  return page;
}

/** Milliseconds from an action to the last change of the page in the second after it. */
async function changed(page: Page, act: () => Promise<unknown>): Promise<number> {
  const start = Number(await page.evaluate("(window.changedAt = performance.now())"));
  await act();
  await page.waitForTimeout(1000);
  return Number(await page.evaluate("window.changedAt")) - start;
}
