/**
 * What a terminal obeys or what turns the order of the letters around: C0 and C1 with escape, marks
 * of direction, separators of lines, and halves of letters, which are no text.
 */
const CONTROLS = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text of others as part of one line: each control character as JSON would write it, `\u001b`. */
export function printable(text: string): string {
  return text.replace(CONTROLS, (control) => SHORT[control] ?? escaped(control));
}

/** The same for text of several lines, which stay lines. */
export function printableLines(text: string): string {
  return text.replace(CONTROLS, (control) =>
    control === "\n" || control === "\t" ? control : (SHORT[control] ?? escaped(control)),
  );
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
