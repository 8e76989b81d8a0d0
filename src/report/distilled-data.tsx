import { formatDecimals, formatPercent, formatRates } from "../text/format.js";
import { attentionChart, attentionMap, greatestShare } from "./attention-map.js";
import { Figure } from "./figure.js";
import { hiddenNumbers, type Inspected, type InspectedSample, sampleName } from "./inspected.js";
import { labelChart } from "./label-chart.js";
import { NearestTokens } from "./nearest-tokens.js";
import { NumberTable } from "./number-table.js";

/** A page with more samples than this would be too large to open. */
const MOST_SAMPLES = 24;

/** The content of distilled data: rates, and the labels, tokens and attention of each sample. */
export function DistilledData({ inspected }: { readonly inspected: Inspected }) {
  const { learning_rates: rates, encoder_lr_scale: scale } = inspected;
  const { samples, class_names: classNames, sheet } = inspected;
  const isCut = samples.length > MOST_SAMPLES;
  return (
    <>
      <p>
        Learning rate {formatRates(rates, scale, ", then ")}.
        {isCut && ` The first ${MOST_SAMPLES} of ${samples.length} samples.`}
      </p>
      {sheet !== undefined && <img src={sheet} alt="All distilled images with their labels" />}
      {samples.slice(0, MOST_SAMPLES).map((sample, at) => (
        <Sample
          key={at}
          number={at + 1}
          name={sampleName(inspected, sample)}
          sample={sample}
          classNames={classNames}
        />
      ))}
    </>
  );
}

interface SampleProps {
  readonly number: number;
  readonly name: string;
  readonly sample: InspectedSample;
  readonly classNames: readonly string[];
}

function Sample({ number, name, sample, classNames }: SampleProps) {
  const { labels, positions, attention, hidden } = sample;
  return (
    <section>
      <h4>
        Sample {number}, {name}
      </h4>
      <Figure
        chart={labelChart(classNames, labels)}
        caption="Its label for each class."
        numbers={{
          head: ["class", "label"],
          rows: labels.map((label, at) => [classNames[at] ?? "", formatDecimals(label, 4)]),
        }}
      />
      {positions.length > 0 && <NearestTokens positions={positions} />}
      {attention !== null && <Attention attention={attention} />}
      {hidden !== null && <NumberTable {...hiddenNumbers(hidden)} />}
    </section>
  );
}

type AttentionProps = { readonly attention: NonNullable<InspectedSample["attention"]> };

function Attention({ attention }: AttentionProps) {
  const map = attentionMap(attention);
  const { rows, positionsPerColumn } = map;
  const columns = rows[0]?.shares.map((_, at) => `${at * positionsPerColumn}`) ?? [];
  return (
    <Figure
      chart={attentionChart(map)}
      caption={
        `Attention labels of the first token: one band per layer with one line per head; the full ` +
        `colour is ${formatPercent(greatestShare(rows))} % of a head's attention` +
        (positionsPerColumn > 1 ? `, summed over ${positionsPerColumn} positions.` : ".")
      }
      numbers={{
        head: ["layer, head (shares in %)", ...columns],
        rows: rows.map(({ layer, head, shares }) => [
          `${layer}, ${head}`,
          ...shares.map((share) => formatPercent(share)),
        ]),
      }}
    />
  );
}
