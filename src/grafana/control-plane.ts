import { curves, dashboard, number } from "./panels.js";

/** The control plane: its queue, what it dispatches, how it keeps up. */
export const controlPlane = dashboard({
  uid: "stillhouse-control-plane",
  title: "Stillhouse: control plane",
  description: "What waits, runs and fails, and the load of the control plane.",
  rows: {
    "At a glance": [
      number({
        title: "Unfinished experiments",
        description: "Experiments that wait or run.",
        unit: "short",
        queries: [{ expr: "sum(stillhouse_unfinished_experiments)", legend: "unfinished" }],
      }),
      number({
        title: "Queued tasks",
        description: "Tasks that wait for a worker or for another task.",
        unit: "short",
        queries: [{ expr: "sum(stillhouse_queue_tasks)", legend: "queued" }],
      }),
      number({
        title: "Running tasks",
        description: "Tasks that workers have.",
        unit: "short",
        queries: [{ expr: "sum(stillhouse_running_tasks)", legend: "running" }],
      }),
      number({
        title: "Workers",
        description: "Connected workers.",
        unit: "short",
        queries: [{ expr: "sum(stillhouse_worker_up)", legend: "workers" }],
      }),
      number({
        title: "Finished since the start",
        description: "Experiments that have ended, by state.",
        unit: "short",
        span: 8,
        queries: [
          { expr: "sum by (state) (stillhouse_experiments_finished_total)", legend: "{{state}}" },
        ],
      }),
    ],
    Tasks: [
      curves({
        title: "Queue",
        description: "Tasks that wait, by what they are for.",
        unit: "short",
        queries: [{ expr: "sum by (kind) (stillhouse_queue_tasks)", legend: "{{kind}}" }],
      }),
      curves({
        title: "Wait for a worker",
        description: "From when a task could have begun until a worker got it.",
        unit: "s",
        queries: [
          { expr: quantile(0.5, "stillhouse_queue_wait_seconds"), legend: "median" },
          { expr: quantile(0.95, "stillhouse_queue_wait_seconds"), legend: "95th percentile" },
        ],
      }),
      curves({
        title: "Ends of tasks",
        description: "Attempts at tasks that came to an end, a second, by how.",
        unit: "ops",
        queries: [
          {
            expr: "sum by (outcome) (rate(stillhouse_task_duration_seconds_count[$__rate_interval]))",
            legend: "{{outcome}}",
          },
        ],
      }),
      curves({
        title: "Duration of tasks",
        description: "Mean time that a worker had a task.",
        unit: "s",
        queries: [
          {
            expr:
              "sum by (kind) (stillhouse_task_duration_seconds_sum)" +
              " / sum by (kind) (stillhouse_task_duration_seconds_count)",
            legend: "{{kind}}",
          },
        ],
      }),
      curves({
        title: "Leases that ran out",
        description: "Tasks taken from workers that were silent, stalled or did not stop.",
        unit: "short",
        queries: [
          {
            expr: "sum by (reason) (increase(stillhouse_lease_expiries_total[1h]))",
            legend: "{{reason}}",
          },
        ],
      }),
      curves({
        title: "What is refused",
        description:
          "Whether nothing can be stored (1); reports that were not taken in; messages without the secret of their attempt; workers that were not let in.",
        unit: "short",
        queries: [
          { expr: "max(stillhouse_storage_fault)", legend: "nothing can be stored" },
          {
            expr: "sum by (reason) (increase(stillhouse_report_refusals_total[1h]))",
            legend: "{{reason}}",
          },
          {
            expr: "sum by (message) (increase(stillhouse_lease_refusals_total[1h]))",
            legend: "{{message}} without its secret",
          },
          {
            expr: "sum(increase(stillhouse_worker_refusals_total[1h]))",
            legend: "workers not let in",
          },
        ],
      }),
      curves({
        title: "Metric points taken in",
        description: "Points a second that workers reported and that are stored.",
        unit: "ops",
        queries: [
          { expr: "sum(rate(stillhouse_metric_points_total[$__rate_interval]))", legend: "points" },
        ],
      }),
    ],
    Process: [
      curves({
        title: "CPU",
        description: "Cores that the control plane uses.",
        unit: "short",
        span: 8,
        queries: [
          {
            expr: 'rate(process_cpu_seconds_total{job="stillhouse"}[$__rate_interval])',
            legend: "{{instance}}",
          },
        ],
      }),
      curves({
        title: "Memory",
        description: "Memory of the control plane's process.",
        unit: "bytes",
        span: 8,
        queries: [
          { expr: 'process_resident_memory_bytes{job="stillhouse"}', legend: "{{instance}}" },
        ],
      }),
      curves({
        title: "Lag of the event loop",
        description: "Delay of callbacks in the control plane, 99th percentile.",
        unit: "s",
        span: 8,
        queries: [
          { expr: 'nodejs_eventloop_lag_p99_seconds{job="stillhouse"}', legend: "{{instance}}" },
        ],
      }),
      curves({
        title: "HTTP requests",
        description: "Requests per second by route.",
        unit: "reqps",
        queries: [
          {
            expr: "sum by (route) (rate(stillhouse_http_request_seconds_count[$__rate_interval]))",
            legend: "{{route}}",
          },
        ],
      }),
      curves({
        title: "Time of HTTP requests",
        description: "99th percentile by route; streams of events are left out.",
        unit: "s",
        queries: [
          {
            expr: quantile(0.99, "stillhouse_http_request_seconds", "route"),
            legend: "{{route}}",
          },
        ],
      }),
    ],
  },
});

function quantile(share: number, histogram: string, label?: string): string {
  const labels = label === undefined ? "le" : `${label}, le`;
  return `histogram_quantile(${share}, sum by (${labels}) (rate(${histogram}_bucket[$__rate_interval])))`;
}
