import CliTable, { type Cell, type TableConstructorOptions } from "cli-table3";
import { printable, printableLines } from "../../text/printable.js";

/** A table whose cells are single lines, whatever names they contain; heads may have several. */
export class Table {
  readonly #table: CliTable.Table;

  constructor(options: TableConstructorOptions) {
    const { head = [], ...others } = options;
    this.#table = new CliTable({ ...others, head: head.map(printableLines) });
  }

  push(...rows: Cell[][]): void {
    for (const row of rows) {
      this.#table.push(row.map((cell) => (typeof cell === "string" ? printable(cell) : cell)));
    }
  }

  toString(): string {
    return this.#table.toString();
  }
}
