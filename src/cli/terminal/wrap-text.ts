/**
 * Breaks a text between words.
 *
 * @param columns of a line, including the indent; a longer word stays whole.
 * @param indent of every line; the caller has already written that of the first.
 */
export function wrapText(text: string, columns: number, indent: number): string {
  let line = "";
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const room = columns - indent;
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
