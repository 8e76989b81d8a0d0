import { metricDescriptor } from "../metric-descriptors.js";
import { curves, dashboard, table } from "./panels.js";

const CHOSEN = '{worker=~"$worker"}';
/** Group of the metrics that say how long each phase of an outer step takes. */
const { group: PHASES } = metricDescriptor("seconds_inner");
const LEGEND = "{{worker}} {{device}}";

/** The workers and the devices that they compute on. */
export const workers = dashboard({
  uid: "stillhouse-workers",
  title: "Stillhouse: workers and devices",
  description: "The connected workers, what they do, and how their devices are used.",
  variable: { name: "worker", metric: "stillhouse_worker_up" },
  rows: {
    Workers: [
      table({
        title: "Workers",
        description: "1 for a worker that has a task, 0 for an idle one.",
        unit: "short",
        queries: [{ expr: `stillhouse_worker_busy${CHOSEN}`, legend: LEGEND }],
      }),
      curves({
        title: "There",
        description: "1 while a worker is connected; 0 after it is lost.",
        unit: "short",
        queries: [{ expr: `stillhouse_worker_up${CHOSEN}`, legend: LEGEND }],
      }),
      curves({
        title: "Share of time with a task",
        description: "Over the last quarter of an hour.",
        unit: "percentunit",
        queries: [{ expr: `avg_over_time(stillhouse_worker_busy${CHOSEN}[15m])`, legend: LEGEND }],
      }),
    ],
    Pools: [
      curves({
        title: "Workers of pools",
        description:
          "What each pool has: asked for without an answer, waiting in the engine's queue, running; " +
          "what it would have, with one worker per ready task; and the most that it may have.",
        unit: "short",
        queries: [
          { expr: "sum by (pool, phase) (stillhouse_pool_workers)", legend: "{{pool}} {{phase}}" },
          { expr: "sum by (pool) (stillhouse_pool_wanted_workers)", legend: "{{pool}} wanted" },
          { expr: "sum by (pool) (stillhouse_pool_max_workers)", legend: "{{pool}} at most" },
        ],
      }),
      curves({
        title: "Refused launches",
        description: "Workers that an engine refused to start, per hour.",
        unit: "short",
        queries: [
          {
            expr: "sum by (pool) (increase(stillhouse_pool_refused_launches_total[1h]))",
            legend: "{{pool}}",
          },
        ],
      }),
    ],
    Devices: [
      curves({
        title: "Utilisation",
        description: "Share of the device that is busy.",
        unit: "percentunit",
        queries: [{ expr: `stillhouse_worker_device_utilisation_ratio${CHOSEN}`, legend: LEGEND }],
      }),
      curves({
        title: "Memory in use",
        description: "On the device, by whomever.",
        unit: "bytes",
        queries: [{ expr: `stillhouse_worker_device_memory_used_bytes${CHOSEN}`, legend: LEGEND }],
      }),
      curves({
        title: "Share of memory in use",
        description: "Of the memory that the device has.",
        unit: "percentunit",
        queries: [
          {
            expr:
              `stillhouse_worker_device_memory_used_bytes${CHOSEN}` +
              ` / stillhouse_worker_device_memory_total_bytes${CHOSEN}`,
            legend: LEGEND,
          },
        ],
      }),
      curves({
        title: "Outer steps",
        description: "Outer steps per second of all workers together.",
        unit: "ops",
        queries: [
          { expr: "sum(rate(stillhouse_outer_steps_total[$__rate_interval]))", legend: "steps" },
        ],
      }),
      curves({
        title: "Time of an outer step",
        description: "All phases together.",
        unit: "s",
        queries: [0.5, 0.95].map((share) => ({
          expr: `histogram_quantile(${share}, sum by (le) (rate(stillhouse_outer_step_seconds_bucket[$__rate_interval])))`,
          legend: `${share * 100} %`,
        })),
      }),
      curves({
        title: "Pretrained learners",
        description: "Learners of pools per hour, of all workers together.",
        unit: "none",
        queries: [
          {
            expr: "3600 * sum(rate(stillhouse_pretrained_learners_total[$__rate_interval]))",
            legend: "learners",
          },
        ],
      }),
      curves({
        title: "Accuracy of pretrained learners",
        unit: "percentunit",
        description: "On validation, of the learner of a pool that was pretrained last.",
        queries: [
          { expr: "stillhouse_pretrained_learner_accuracy_ratio", legend: "validation accuracy" },
        ],
      }),
      curves({
        title: PHASES?.title ?? "",
        description: "Share of each phase in the time of all outer steps.",
        unit: "percentunit",
        queries: [
          {
            expr:
              "sum by (phase) (stillhouse_outer_step_phase_seconds_total)" +
              " / on () group_left () sum(stillhouse_outer_step_phase_seconds_total)",
            legend: "{{phase}}",
          },
        ],
      }),
    ],
  },
});
