import { toCsv, toLatex, toMarkdown } from "../../../text/table-text.js";
import { type Comparison, numberTable, tablesOf } from "../../model/comparison.js";
import { saveText } from "../../parts/save.js";

const FORMATS = [
  {
    label: "Markdown",
    name: "comparison.md",
    type: "text/markdown",
    write: (comparison: Comparison) => tablesOf(comparison).map(toMarkdown).join("\n"),
  },
  {
    label: "LaTeX",
    name: "comparison.tex",
    type: "application/x-tex",
    write: (comparison: Comparison) => tablesOf(comparison).map(toLatex).join("\n"),
  },
  {
    label: "CSV",
    name: "comparison.csv",
    type: "text/csv",
    write: (comparison: Comparison) => toCsv(numberTable(comparison)),
  },
];

/**
 * The tables of the comparison in formats for papers and programs; figures have their own buttons.
 */
export function ExportMenu({ comparison }: { readonly comparison: Comparison }) {
  return (
    <fieldset class="button-row plain">
      <legend class="visually-hidden">Export the table</legend>
      {FORMATS.map(({ label, name, type, write }) => (
        <button
          key={label}
          type="button"
          class="button"
          onClick={() => saveText(name, write(comparison), type)}
        >
          {label}
        </button>
      ))}
    </fieldset>
  );
}
