import { extent } from "d3-array";
import { useState } from "preact/hooks";
import type { SampleView } from "../../model/inspection-view.js";
import { readableToken, shadeOf } from "../../model/tokens.js";

/** A sample as the token that is nearest to each of its vectors, shaded by how near it is. */
export function NearestTokens({ sample }: { readonly sample: SampleView }) {
  const [chosen, setChosen] = useState<number>();
  const similarities = sample.positions.map(([nearest]) => nearest?.[1] ?? 0);
  const [least = 0, greatest = 0] = extent(similarities);
  const position = chosen === undefined ? undefined : sample.positions[chosen];
  return (
    <figure class="figure">
      <figcaption class="figure-head">
        <span class="figure-title">Nearest tokens</span>
        <span class="figure-summary">
          The stronger the colour, the nearer: cosine {least.toFixed(2)} to {greatest.toFixed(2)}.
          Choose one to see what else is near. What reads well this way need not teach well.
        </span>
      </figcaption>
      <ol class="tokens">
        {sample.positions.map(([nearest], at) => {
          const [token = "", similarity = 0] = nearest ?? [];
          return (
            <li key={at}>
              <button
                type="button"
                class="token"
                style={{
                  "--shade": `${Math.round(shadeOf(similarity, [least, greatest]) * 100)}%`,
                }}
                aria-pressed={chosen === at}
                title={`position ${at}, cosine ${similarity.toFixed(3)}`}
                onClick={() => setChosen(chosen === at ? undefined : at)}
              >
                {readableToken(token)}
                <span class="visually-hidden">, cosine {similarity.toFixed(2)}</span>
              </button>
            </li>
          );
        })}
      </ol>
      <div aria-live="polite">
        {position === undefined ? null : (
          <p class="near-tokens">
            <span class="muted">Position {chosen}:</span>{" "}
            {position.map(([token, similarity], at) => (
              <span key={`${token} ${at}`} class="near-token">
                {readableToken(token)} <span class="muted numeric">{similarity.toFixed(3)}</span>
              </span>
            ))}
          </p>
        )}
      </div>
    </figure>
  );
}
