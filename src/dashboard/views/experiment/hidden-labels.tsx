import { formatDecimals } from "../../../text/format.js";
import type { SampleView } from "../../model/inspection-view.js";
import { ScrollTable } from "../../parts/scroll.js";

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
      <ScrollTable label="Hidden labels, table" class="table compact" frameClass="table-twin">
        <thead>
          <tr>
            {["layer", "weight", "cosine"].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {hidden.map(([weight, cosine], layer) => (
            <tr key={layer}>
              <td>{layer + 1}</td>
              <td>{formatDecimals(weight, 3)}</td>
              <td>{formatDecimals(cosine, 3)}</td>
            </tr>
          ))}
        </tbody>
      </ScrollTable>
    </figure>
  );
}
