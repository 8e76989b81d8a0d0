import type { FigureFormat } from "../../charts/export-figure.js";

export interface FigureExportsProps {
  readonly label: string;
  readonly onExport: (format: FigureFormat) => Promise<void>;
}

export function FigureExports({ label, onExport }: FigureExportsProps) {
  return (["svg", "png"] as const).map((format) => (
    <button
      key={format}
      type="button"
      class="link-button"
      aria-label={`${label} as ${format.toUpperCase()}`}
      onClick={() => onExport(format)}
    >
      {format.toUpperCase()}
    </button>
  ));
}
