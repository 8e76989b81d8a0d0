/** A table of text, to be written for other programs. */
export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What a spreadsheet takes for the beginning of a formula, full-width signs of Asian ones included. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * RFC 4180, with a first line of names. Text that a spreadsheet would compute has an apostrophe
 * before it, as OWASP advises; numbers stay as they are.
 */
export function toCsv({ head, rows }: TextTable): string {
  return [head, ...rows].map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join("");
}

function csvCell(text: string): string {
  const harmless = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

export function toMarkdown({ head, rows }: TextTable): string {
  const line = (cells: readonly string[]) => `| ${cells.map(markdownCell).join(" | ")} |\n`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("");
}

/** A cell of a table in Markdown. */
export function markdownCell(text: string): string {
  return oneLine(text).replace(/[\\|]/g, "\\$&").replaceAll("<", "&lt;");
}

const LATEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  $: "\\$",
  "&": "\\&",
  "#": "\\#",
  "%": "\\%",
  _: "\\_",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "\\textquotedbl{}",
  "±": "$\\pm$",
  "−": "$-$",
  "–": "--",
};

/** A tabular for the package booktabs. */
export function toLatex({ head, rows }: TextTable): string {
  const line = (cells: readonly string[]) => `  ${cells.map(latexCell).join(" & ")} \\\\\n`;
  return [
    "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n",
    `\\begin{tabular}{${head.map(() => "l").join("")}}\n`,
    "  \\toprule\n",
    line(head),
    "  \\midrule\n",
    ...rows.map(line),
    "  \\bottomrule\n",
    "\\end{tabular}\n",
  ].join("");
}

/** After the end of a row, LaTeX reads a bracket as a length and an asterisk as a flag. */
function latexCell(text: string): string {
  const escaped = oneLine(text).replace(/[\\{}$&#%_^~<>|"±−–]/g, (sign) => LATEX[sign] ?? sign);
  return /^[[*]/.test(escaped) ? `{}${escaped}` : escaped;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
}
