import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LiveProgress } from "../../src/cli/progress/live-progress.js";
import { PlainProgress } from "../../src/cli/progress/plain-progress.js";
import { Table } from "../../src/cli/terminal/table.js";
import { colorsOf, terminalOf } from "../../src/cli/terminal/terminal.js";
import { LogLevel, LogLine } from "../../src/generated/stillhouse/v1/experiment.js";
import { printable, printableLines } from "../../src/text/printable.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";

/** Clears the screen, sets the title, goes back over the line, and turns the order around. */
const HOSTILE = "a\u001b[2J\u001b]0;title\u0007\rb\u009b31m\u202eevil\u2066\u0000\u007f";
const OBEYED = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;

describe("printable text", () => {
  it("escapes control characters as JSON does, and leaves all letters as they are", () => {
    assert.equal(
      printable("a\u001b[2Jb\u009bc\u202e\n\t\r"),
      "a\\u001b[2Jb\\u009bc\\u202e\\n\\t\\r",
    );
    assert.equal(printable("\ud800x"), "\\ud800x");
    const letters = "Grüße, 日本語 שלום 👩‍🔬 ± −";
    assert.equal(printable(letters), letters);
    assert.equal(printableLines("one\n\ttwo\r\u001b"), "one\n\ttwo\\r\\u001b");
  });

  it("does not change when it is made printable again", () => {
    assert.equal(printable(printable(HOSTILE)), printable(HOSTILE));
  });
});

describe("a terminal", () => {
  it("gets no control sequences but colours, whatever a command writes", () => {
    const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
    const terminal = terminalOf(stdout, stderr, {});
    terminal.stdout.write(`${HOSTILE}\n`);
    terminal.stderr.write(`${colorsOf(true).red("Error")} ${HOSTILE}\u001b[8mhidden\n`);
    assert.doesNotMatch(stdout.text.slice(0, -1), OBEYED);
    assert.equal(stderr.text.slice(0, 15), "\u001b[31mError\u001b[39m");
    assert.doesNotMatch(stderr.text.slice(15, -1), OBEYED);
  });

  it("gets JSON that parses to the same value", () => {
    const stdout = new RecordedOutput();
    const document = { name: HOSTILE };
    terminalOf(stdout, stdout, {}).stdout.write(JSON.stringify(document));
    assert.deepEqual(JSON.parse(stdout.text), document);
  });

  it("gets one line per log line, however many line breaks are in it", () => {
    const line = LogLine.fromPartial({
      level: LogLevel.INFO,
      message: `${HOSTILE}\nError: forged`,
    });
    const [plain, live] = [new RecordedOutput(), new RecordedOutput(80)];
    new PlainProgress(plain).log(line);
    new LiveProgress(live).log(line);
    for (const { text } of [plain, live]) {
      assert.equal(text, `${printable(line.message)}\n`);
    }
  });

  it("gets one line for a row of a table", () => {
    const table = new Table({ head: ["a\u001b"], style: { head: [], border: [] } });
    table.push(["one\ntwo\u001b"]);
    assert.match(table.toString(), /a\\u001b/);
    assert.match(table.toString(), /one\\ntwo\\u001b/);
  });
});
