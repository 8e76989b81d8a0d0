import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toCsv, toLatex, toMarkdown } from "../../src/text/table-text.js";

function table(...cells: string[]) {
  return { head: cells.map(() => "h"), rows: [cells] };
}

function row(text: string, at: number): string {
  return text.split("\n")[at] ?? "";
}

describe("a table as CSV", () => {
  it("has nothing that a spreadsheet computes", () => {
    const cells = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1"];
    const csv = toCsv(table(...cells));
    for (const cell of csv.slice(csv.indexOf("\n") + 1).match(/"[^"]*"|[^,\r\n]+/g) ?? []) {
      assert.match(cell, /^"?'/, cell);
    }
  });

  it("leaves numbers as they are, also those with a sign", () => {
    const numbers = ["-0.01", "+1.5", "1e-05", "-1.2E+3", "-.5", "0", "-7"];
    assert.equal(row(toCsv(table(...numbers)), 1), `${numbers.join(",")}\r`);
  });

  it("quotes what would end a cell or a line", () => {
    assert.equal(toCsv({ head: ['a"b', "c,d"], rows: [] }), '"a""b","c,d"\r\n');
    assert.equal(toCsv({ head: ["a\nb"], rows: [] }), '"a\nb"\r\n');
  });
});

describe("a table as LaTeX", () => {
  it("has no cell that LaTeX would read as an argument of the row end before it", () => {
    const latex = toLatex({ head: ["h"], rows: [["[2em]"], ["*"], ["a[1]"]] });
    assert.match(latex, /^ {2}\{\}\[2em\] \\\\$/m);
    assert.match(latex, /^ {2}\{\}\* \\\\$/m);
    assert.match(latex, /^ {2}a\[1\] \\\\$/m);
  });

  it("writes every sign that LaTeX reads otherwise, and a cell on one line", () => {
    const cells = toLatex(table('\\ { } $ & # % _ ^ ~ < > | "', "one\n\ntwo\u001b"));
    assert.match(
      cells,
      /\\textbackslash\{\} \\\{ \\\} \\\$ \\& \\# \\% \\_ \\textasciicircum\{\} \\textasciitilde\{\} \\textless\{\} \\textgreater\{\} \\textbar\{\} \\textquotedbl\{\} & one two \\\\/,
    );
  });
});

describe("a table as Markdown", () => {
  it("has one row per line, and no cell that ends early or is HTML", () => {
    const lines = toMarkdown(table("x|y", "a\\|b", "one\ntwo", "<img src=x>")).split("\n");
    assert.deepEqual(lines, [
      "| h | h | h | h |",
      "| --- | --- | --- | --- |",
      "| x\\|y | a\\\\\\|b | one two | &lt;img src=x> |",
      "",
    ]);
  });
});
