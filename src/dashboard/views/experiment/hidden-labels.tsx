import { formatDecimals } from "../../../text/format.js";
import type { SampleView } from "../../model/inspection-view.js";
import { Twin } from "../../parts/figure.js";

/** How near the states of a trained learner come to the hidden labels, layer by layer. */
export function HiddenLabels({ sample: { hidden } }: { readonly sample: SampleView }) {
  if (hidden === undefined) return null;
  return (
    <figure class="figure">
      <figcaption class="figure-head">
        <span class="figure-title">Hidden labels</span>
        <span class="figure-summary">
          What the label behind each layer counts, and its cosine with the first token's vector
          there in a learner trained on the distilled data.
        </span>
      </figcaption>
      <Twin
        title="Hidden labels"
        head={["layer", "weight", "cosine"]}
        rows={hidden.map(([weight, cosine], layer) => [
          layer + 1,
          formatDecimals(weight, 3),
          formatDecimals(cosine, 3),
        ])}
      />
    </figure>
  );
}
