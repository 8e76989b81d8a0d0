import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeSeriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** The data source that a person chooses at the top of the page. */
const DATA_SOURCE = { type: "prometheus", uid: `\${datasource}` };

/** A line of a panel: its Prometheus expression and its name. */
export interface Query {
  readonly expr: string;
  /** Such as "{{kind}}". */
  readonly legend: string;
}

interface PanelOptions {
  readonly title: string;
  readonly description: string;
  /** As Grafana names units: "s", "percentunit", "short", "bytes". */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Width in columns; a row has 24. */
  readonly span?: number;
}

export type AnyPanel = Builder<Panel>;

const HEIGHT = 8;

/** Curves over time. */
export function curves({ title, description, unit, queries, span = 12 }: PanelOptions): AnyPanel {
  const panel = new TimeSeriesBuilder()
    .title(title)
    .description(description)
    .unit(unit)
    .min(0)
    .span(span)
    .height(HEIGHT)
    .datasource(DATA_SOURCE);
  queries.forEach((query, index) => {
    panel.withTarget(target(query, index));
  });
  return panel;
}

/** A number as it is now. */
export function number({ title, description, unit, queries, span = 4 }: PanelOptions): AnyPanel {
  const panel = new StatBuilder()
    .title(title)
    .description(description)
    .unit(unit)
    .span(span)
    .height(4)
    .datasource(DATA_SOURCE)
    .thresholds(
      new ThresholdsConfigBuilder()
        .mode(ThresholdsMode.Absolute)
        .steps([{ value: null, color: "text" }]),
    );
  queries.forEach((query, index) => {
    panel.withTarget(target(query, index));
  });
  return panel;
}

/** A table with a row for each set of labels, as it is now. */
export function table({ title, description, unit, queries, span = 24 }: PanelOptions): AnyPanel {
  const panel = new TableBuilder()
    .title(title)
    .description(description)
    .unit(unit)
    .span(span)
    .height(HEIGHT)
    .datasource(DATA_SOURCE);
  queries.forEach((query, index) => {
    panel.withTarget(target(query, index).instant().format(PromQueryFormat.Table));
  });
  return panel;
}

export interface DashboardOptions {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** A label whose values a person may choose from, and a metric that has it. */
  readonly variable?: { readonly name: string; readonly metric: string };
  /** By the heading of their row. */
  readonly rows: Readonly<Record<string, readonly AnyPanel[]>>;
}

export function dashboard(options: DashboardOptions): Dashboard {
  const builder = new DashboardBuilder(options.title)
    .uid(options.uid)
    .description(options.description)
    .tags(["stillhouse"])
    .refresh("10s")
    .time({ from: "now-3h", to: "now" })
    .timezone("browser")
    .withVariable(
      new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"),
    );
  if (options.variable) {
    const { name, metric } = options.variable;
    builder.withVariable(
      new QueryVariableBuilder(name)
        .datasource(DATA_SOURCE)
        .query(`label_values(${metric}, ${name})`)
        .multi(true)
        .includeAll(true)
        .allValue(".*"),
    );
  }
  for (const [heading, panels] of Object.entries(options.rows)) {
    builder.withRow(new RowBuilder(heading));
    for (const panel of panels) builder.withPanel(panel);
  }
  return builder.build();
}

function target({ expr, legend }: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .expr(expr)
    .legendFormat(legend)
    .refId(String.fromCharCode(65 + index));
}
