import { comparedPrograms, MLFLOW } from "../compared/environment.js";
import { MlflowPoints } from "./compare/mlflow.js";
import { RayJobs } from "./compare/ray.js";
import { OwnJobs, OwnPoints } from "./compare/stillhouse.js";
import { quantile, rounded } from "./figures.js";

const PACKAGES = [MLFLOW, "ray[default]==2.60.0"];
/** As in the intake of Stillhouse, and the most that MLflow accepts in one call. */
const BATCHES = [125, 1_000];
/** MLflow's server has 15 connections to its database, and calls that wait for one time out. */
const NUM_CLIENTS = 10;
const NUM_ROUNDS = 3;
const INTAKE_SECONDS = 6;
const NUM_JOBS = 10;

/** Medians over the rounds, or why there are none. */
export type Compared = Readonly<Record<string, Record<string, number> | string>>;

/** One of two programs that are measured in turns; `measure` returns a rate per second. */
interface Contender {
  readonly name: string;
  readonly measure: () => Promise<number>;
}

/**
 * Measures what people use today in turns with Stillhouse, on this machine in this run: MLflow's
 * tracking server (one process, SQLite) takes in metric points from as many clients in equally large
 * batches, and Ray's job submission runs each job as a process, where Stillhouse has running workers.
 */
export async function compare(say: (text: string) => void): Promise<Compared> {
  let python: string;
  try {
    python = await comparedPrograms(PACKAGES, say);
  } catch (error) {
    return { not_installed: messageOf(error) };
  }
  return { ...(await comparedPoints(python, say)), ...(await comparedJobs(python, say)) };
}

async function comparedPoints(python: string, say: (text: string) => void): Promise<Compared> {
  const own = await OwnPoints.start(NUM_CLIENTS);
  const mlflow = new MlflowPoints(python);
  try {
    await mlflow.start();
    const figures: Record<string, Record<string, number>> = {};
    for (const batch of BATCHES) {
      say(`metric points in turns with MLflow, ${batch} per call, ${NUM_CLIENTS} clients`);
      figures[`points_per_second_${batch}_a_call`] = await inTurns(
        { name: "stillhouse", measure: () => own.perSecond(batch, INTAKE_SECONDS) },
        {
          name: "mlflow",
          measure: () => mlflow.perSecond(NUM_CLIENTS, batch, INTAKE_SECONDS),
        },
      );
    }
    return figures;
  } catch (error) {
    return { mlflow_failed: messageOf(error) };
  } finally {
    await Promise.all([own.close(), mlflow.close()]);
  }
}

async function comparedJobs(python: string, say: (text: string) => void): Promise<Compared> {
  say("jobs in turns with Ray");
  const own = await OwnJobs.start(NUM_CLIENTS);
  const ray = new RayJobs(python);
  try {
    await ray.start();
    const figures = await inTurns(
      { name: "stillhouse", measure: () => own.perSecond(NUM_JOBS) },
      { name: "ray", measure: () => ray.perSecond(NUM_JOBS) },
    );
    return { jobs_per_second: figures };
  } catch (error) {
    return { ray_failed: messageOf(error) };
  } finally {
    await Promise.all([own.close(), ray.close()]);
  }
}

/** The median of each, and the median of the ratios of the rounds. */
async function inTurns(a: Contender, b: Contender): Promise<Record<string, number>> {
  const rounds: [number, number][] = [];
  for (let round = 0; round < NUM_ROUNDS; round++) {
    rounds.push([await a.measure(), await b.measure()]);
  }
  const median = (of: (round: [number, number]) => number) =>
    rounded(quantile(rounds.map(of), 0.5));
  return {
    [a.name]: median(([first]) => first),
    [b.name]: median(([, second]) => second),
    ratio: median(([first, second]) => first / second),
  };
}

function messageOf(error: unknown): string {
  const { stderr = "", message } = error as Error & { stderr?: string };
  return stderr.trim().split("\n").at(-1) || message;
}
