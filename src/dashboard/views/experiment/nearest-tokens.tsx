import { extent } from "d3-array";
import { useState } from "preact/hooks";
import { formatDecimals } from "../../../text/format.js";
import type { SampleView } from "../../model/inspection-view.js";
import { readableToken, shadeOf } from "../../model/tokens.js";

/** The nearest token of each vector of a sample, shaded by its similarity. */
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
          The stronger the colour, the nearer: cosine {formatDecimals(least, 2)} to{" "}
          {formatDecimals(greatest, 2)}. Choose a token to see what else is near. Data that reads
          badly here may still teach well.
        </span>
      </figcaption>
      <ol class="tokens">
        {sample.positions.map(([nearest], at) => (
          <li key={at}>
            <TokenButton
              nearest={nearest ?? ["", 0]}
              place={at}
              range={[least, greatest]}
              isChosen={chosen === at}
              onChoose={() => setChosen(chosen === at ? undefined : at)}
            />
          </li>
        ))}
      </ol>
      <div aria-live="polite">
        {position === undefined ? null : (
          <p class="near-tokens">
            <span class="muted">Position {chosen}:</span>{" "}
            {position.map(([token, cosine], at) => (
              <span key={`${token} ${at}`} class="near-token">
                {readableToken(token)}{" "}
                <span class="muted numeric">{formatDecimals(cosine, 3)}</span>
              </span>
            ))}
          </p>
        )}
      </div>
    </figure>
  );
}

interface TokenButtonProps {
  readonly nearest: readonly [token: string, cosine: number];
  readonly place: number;
  /** Least and greatest cosine of the sample. */
  readonly range: readonly [number, number];
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function TokenButton({ nearest, place, range, isChosen, onChoose }: TokenButtonProps) {
  const [token, cosine] = nearest;
  return (
    <button
      type="button"
      class="token"
      style={{ "--shade": `${Math.round(shadeOf(cosine, range) * 100)}%` }}
      aria-pressed={isChosen}
      title={`position ${place}, cosine ${formatDecimals(cosine, 3)}`}
      onClick={onChoose}
    >
      {readableToken(token)}
      <span class="visually-hidden">, cosine {formatDecimals(cosine, 2)}</span>
    </button>
  );
}
