import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ScrollTable } from "./scroll.js";

/** The numbers of a chart as a table, for readers who cannot see it or want the values. */
export interface TableTwin {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface FigureProps {
  readonly title: string;
  /** What the chart shows, in a sentence. */
  readonly summary?: string | undefined;
  readonly table: () => TableTwin;
  readonly controls?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** A chart with its title, and a table of the same numbers behind a button. */
export function Figure({ title, summary, table, controls, children, ...rest }: FigureProps) {
  const [isTable, setIsTable] = useState(false);
  return (
    <figure class={`figure ${rest.class ?? ""}`}>
      <figcaption class="figure-head">
        <span class="figure-title">{title}</span>
        <span class="figure-controls">
          {controls}
          <button
            type="button"
            class="link-button"
            aria-pressed={isTable}
            aria-label={`${title}: table`}
            onClick={() => setIsTable(!isTable)}
          >
            {isTable ? "Chart" : "Table"}
          </button>
        </span>
        {summary === undefined ? null : <span class="figure-summary">{summary}</span>}
      </figcaption>
      {isTable ? <Twin title={title} {...table()} /> : children}
    </figure>
  );
}

/** Numbers under a head; the first column names the row. */
export function Twin({ title, head, rows }: TableTwin & { readonly title: string }) {
  return (
    <ScrollTable label={`${title}, table`} class="table compact" frameClass="table-twin">
      <thead>
        <tr>
          {head.map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, at) => (
          <tr key={at}>
            {row.map((cell, column) =>
              column === 0 ? (
                <th key={head[column]} scope="row">
                  {cell}
                </th>
              ) : (
                <td key={head[column]}>{cell}</td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </ScrollTable>
  );
}
