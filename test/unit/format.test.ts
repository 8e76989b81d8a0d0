import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readableToken, shadeOf } from "../../src/dashboard/model/tokens.js";
import {
  formatAgo,
  formatBytes,
  formatDecimals,
  formatDuration,
  formatGain,
  formatInterval,
  formatMebibytes,
  formatRates,
  formatValue,
} from "../../src/text/format.js";

describe("figures in a terminal, on the page and in reports", () => {
  test("values keep three digits, small ones an exponent", () => {
    assert.equal(formatValue(0.41234), "0.412");
    assert.equal(formatValue(12.345), "12.3");
    assert.equal(formatValue(0), "0");
    assert.equal(formatValue(2e-5), "2e-5");
    assert.equal(formatValue(1.25e-4), "1.25e-4");
    assert.equal(formatValue(3_000_000), "3e6");
    assert.equal(formatValue(undefined), "–");
    assert.equal(formatValue(Number.NaN), "NaN");
  });

  test("durations have two units at most", () => {
    assert.equal(formatDuration(42), "42 s");
    assert.equal(formatDuration(303), "5 min 3 s");
    assert.equal(formatDuration(4800), "1 h 20 min");
    assert.equal(formatDuration(3600 * 51), "2 d 3 h");
  });

  test("gains carry their sign", () => {
    assert.equal(formatGain(0.013), "+1.3");
    assert.equal(formatGain(-0.004), "−0.4");
  });

  test("intervals and columns of decimals say where there is no value", () => {
    assert.equal(formatInterval([0.899, 0.912]), "89.9 to 91.2");
    assert.equal(formatInterval([0.899, 0.912], 2), "89.90 to 91.20");
    assert.equal(formatInterval(null), "–");
    assert.equal(formatDecimals(0.4, 3), "0.400");
    assert.equal(formatDecimals(null, 3), "–");
  });

  test("sizes have decimal or binary units, and ages one unit", () => {
    assert.equal(formatBytes(467_000), "467 kB");
    assert.equal(formatMebibytes(1536 * 2 ** 20), "1,536 MiB");
    assert.equal(formatAgo(0, 30_000), "just now");
    assert.equal(formatAgo(0, 3_600_000 * 3), "3 h ago");
    assert.equal(formatAgo(0, 86_400_000 * 5), "5 days ago");
  });
});

describe("tokens", () => {
  test("show a dot before pieces of words", () => {
    assert.equal(readableToken("##ing"), "·ing");
    assert.equal(readableToken("oil"), "oil");
  });

  test("are shaded between the least and the most similar of their sample", () => {
    assert.equal(shadeOf(0.3, [0.2, 0.4]).toFixed(2), "0.50");
    assert.equal(shadeOf(0.5, [0.5, 0.5]), 1);
  });
});

describe("the rates of inner steps", () => {
  test("name the encoder's where it has its own", () => {
    assert.equal(formatRates([0.5, 0.25], null), "0.5, 0.25");
    assert.equal(formatRates([0.5, 0.25], undefined, ", then "), "0.5, then 0.25");
    assert.equal(formatRates([1.5], 0.3333), "1.5, times 0.333 for the encoder");
  });
});
