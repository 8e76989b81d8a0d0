import { Writable } from "node:stream";
import { printableLines } from "../../text/printable.js";

/** The styles that our own text has, as picocolors writes them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: what begins a style is one
const STYLES = /(\u001b\[(?:[0-24]|2[2-4]|3\d|9[0-7])m)/;

/**
 * Passes on what a terminal shows, and no control sequences except colours, so that no foreign name
 * or message can move its cursor or change its state, even if a caller forgot to check it.
 */
export class PrintingOutput extends Writable {
  readonly #out: Writable;

  constructor(out: Writable) {
    super({ decodeStrings: false });
    this.#out = out;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    const parts = String(chunk).split(STYLES);
    this.#out.write(parts.map((part, at) => (at % 2 ? part : printableLines(part))).join(""));
    // The stream below keeps what it cannot take yet: at the end of the process it is waited for.
    done();
  }
}
