import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHTML } from "linkedom";
import { renderInspected } from "../../src/cli/robustness/inspect-view.js";
import { artifactPage } from "../../src/report/artifact-page.js";
import { attentionMap } from "../../src/report/attention-map.js";
import type { Inspected } from "../../src/report/inspected.js";
import type { Reproduction } from "../../src/report/reproduction.js";
import { reproductionPage } from "../../src/report/reproduction-page.js";
import { reproductionMarkdown } from "../../src/report/reproduction-text.js";

const MARKUP = "<script>alert(1)</script>";

const INSPECTED: Inspected = {
  model: "minilm",
  dataset: "ag_news",
  class_names: ["World", MARKUP],
  learning_rates: [0.5, 0.1],
  objective: "",
  encoder_lr_scale: 0.25,
  samples: ["World", MARKUP].map((name, at) => ({
    class_name: name,
    block: 1,
    labels: [1.25, -0.5],
    positions: [
      [
        ["oil", 0.9 - at / 10],
        [MARKUP, 0.4],
      ],
      [["[SEP]", -0.1]],
    ],
    attention: [[[0.75, 0.25]], [[0.1, 0.9]]],
    hidden:
      at === 0
        ? [
            [0.5, 0.93],
            [1.25, -0.1],
          ]
        : null,
  })),
};

const REPRODUCTION: Reproduction = {
  title: "Reproduction of the 2022 study",
  subject: "Data set ag_news · model minilm",
  settings: "Preset cpu, but with outer-steps 20 (1450).",
  tables: [
    {
      title: "Soft labels",
      numbers: { head: ["data", "accuracy (%)"], rows: [["Full data", "91.0"]] },
      failures: ["SL restricted, seed 0 has failed: the loss is nan"],
      published: ["Published figures: the abstract."],
      overSamples: [
        { samples: 5, mean: 0.9, std: 0.01, published: 92 },
        { samples: 10, mean: 0.95, std: 0, published: undefined },
      ],
      differences: {
        head: ["row, minus", "hard labels"],
        rows: [["SL unrestricted", "+1.7 [0.9, 2.5]"]],
      },
      time: "Computing it took 12 min.",
      spreads: [
        {
          label: "Full data",
          learners: [0.91],
          mean: 0.91,
          interval95: null,
          study: { mean: 94.7, std: null },
        },
        {
          label: "hard labels",
          learners: [0.7, 0.8, 0.75],
          mean: 0.75,
          interval95: [0.7, 0.8],
          study: { mean: 86.3, std: 3.4 },
        },
      ],
      validationAccuracy: [
        { label: "hard labels", seed: 0, points: points([10, 0.6], [20, 0.75]) },
        { label: "hard labels", seed: 1, points: points([10, 0.5], [20, 0.7]) },
      ],
      outerLoss: [{ label: "hard labels", seed: 0, points: points([1, 1.4], [20, 0.3]) }],
    },
  ],
  legend: "What the columns mean.",
  time: "All of it took 13 min of computing.",
  distilled: [
    { label: "hard labels, seed 0", content: INSPECTED },
    { label: "hard labels, seed 1", content: "It could not be inspected: no model." },
  ],
  rerun: {
    command: "npm run reproduce -- soft-labels",
    codeVersion: "c".repeat(64),
    environments: [{ torch: "2.13.0" }],
    experiments: [
      {
        label: "hard labels, seed 0",
        command: "npm run experiment -- --seed 0",
        specHash: "a".repeat(64),
        files: new Map([["distilled.safetensors", "b".repeat(64)]]),
        spec: { seed: 0 },
      },
    ],
  },
};

function points(...pairs: [step: number, value: number][]) {
  return pairs.map(([step, value]) => ({ step, value }));
}

describe("the page of a reproduction", () => {
  const html = reproductionPage(REPRODUCTION);
  const { document } = parseHTML(html);

  it("draws every chart, each with its numbers", () => {
    const charts = [...document.querySelectorAll("figure.chart")];
    const names = charts.map((chart) =>
      chart.querySelector("svg[role]")?.getAttribute("aria-label"),
    );
    assert.deepEqual(
      names,
      [
        "Accuracy of every test learner by row",
        "Accuracy over the number of distilled samples",
        "validation accuracy (%) over outer steps",
        "outer loss over outer steps",
        ...Array(2).fill([
          "Label of the sample for each class",
          "Attention labels by layer, head and position",
        ]),
      ].flat(),
    );
    for (const chart of charts) assert.ok(chart.querySelector("details td"));
    const [distribution, samples, accuracy] = charts;
    assert.equal(distribution?.querySelectorAll('[aria-label="dot"] circle').length, 4);
    const cells = (row: Element) => [...row.children].map(({ textContent }) => textContent);
    const rowsOf = (chart?: Element) => [...(chart?.querySelectorAll("tr") ?? [])].map(cells);
    assert.deepEqual(rowsOf(samples), [
      ["distilled samples", "accuracy (%)", "published (%)"],
      ["5", "90.0 ± 1.0", "92.0"],
      ["10", "95.0 ± 0.0", ""],
    ]);
    assert.deepEqual(rowsOf(accuracy), [
      ["outer step", "hard labels, seed 0", "hard labels, seed 1"],
      ["10", "60.00", "50.00"],
      ["20", "75.00", "70.00"],
    ]);
  });

  it("names the comparison, its time and the command to repeat it, as the Markdown does", () => {
    const texts = [document.body.textContent ?? "", reproductionMarkdown(REPRODUCTION)];
    const parts = [
      "outer-steps 20 (1450)",
      "+1.7 [0.9, 2.5]",
      "seed 0 has failed: the loss is nan",
      "Computing it took 12 min.",
      "All of it took 13 min",
      "npm run reproduce -- soft-labels",
      "npm run experiment -- --seed 0",
      "2.13.0",
      ...["a", "b", "c"].map((digit) => digit.repeat(64)),
    ];
    for (const text of texts) for (const part of parts) assert.ok(text.includes(part), part);
    assert.ok(texts[0]?.includes("no model"), "what could not be shown");
  });

  it("loads nothing and runs nothing", () => {
    assert.equal(document.querySelectorAll("script, link, img, iframe, [src], [href]").length, 0);
    assert.doesNotMatch(html, /url\(|@import|\son\w+=/);
    assert.match(html, /default-src 'none'/);
  });

  it("is the same for the same results", () => {
    assert.equal(reproductionPage(REPRODUCTION), html);
  });
});

describe("the page of distilled data", () => {
  const accuracies = { head: ["learners", "accuracy (%)"], rows: [["nearest tokens", "45.2"]] };
  const command = "npm run inspect -- x --html page.html";
  const { document } = parseHTML(artifactPage(INSPECTED, accuracies, command));

  it("shows the accuracy of learners where it was measured", () => {
    assert.ok(document.body.textContent?.includes("nearest tokens45.2"));
    assert.doesNotMatch(artifactPage(INSPECTED, undefined, command), /45\.2/);
  });

  it("says how near a learner comes to hidden labels, where there are any", () => {
    const own = [...document.querySelectorAll("table")].filter((table) =>
      table.textContent?.includes("cosine with a learner's state"),
    );
    assert.equal(own.length, 1, "one of two samples has them");
    const rows = [...(own[0]?.querySelectorAll("tbody tr") ?? [])].map((row) =>
      [...row.children].map(({ textContent }) => textContent),
    );
    assert.deepEqual(rows, [
      ["1", "0.500", "0.930"],
      ["2", "1.250", "-0.100"],
    ]);
    const text = renderInspected(INSPECTED, undefined);
    assert.match(text, /hidden labels\n[^\n]*\n.*layer.*weight.*cosine/);
    assert.equal(text.match(/hidden labels/g)?.length, 1);
  });

  it("shades each nearest token by its similarity", () => {
    const [oil, separator] = document.querySelectorAll(".tokens span");
    assert.equal(oil?.textContent, "oil");
    assert.match(oil?.getAttribute("style") ?? "", /var\(--series-1\) 50%/);
    assert.match(separator?.getAttribute("style") ?? "", /var\(--series-1\) 0%/);
  });

  it("shows markup in names as text", () => {
    assert.equal(document.querySelectorAll("script").length, 0);
    assert.ok(document.body.textContent?.includes(MARKUP));
  });

  it("sums attention over neighbouring positions where there are too many to see", () => {
    const keys = Array.from({ length: 130 }, () => 1 / 130);
    const { positionsPerColumn, rows } = attentionMap([[keys]]);
    assert.equal(positionsPerColumn, 3);
    assert.equal(rows[0]?.shares.length, 44);
    const sum = rows[0]?.shares.reduce((total, share) => total + share, 0) ?? 0;
    assert.ok(Math.abs(sum - 1) < 1e-9);
  });
});
