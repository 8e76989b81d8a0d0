import { formatDecimals } from "../text/format.js";
import type { InspectedSample } from "./inspected.js";
import { NumberTable } from "./number-table.js";

/** Share of the colour behind a token that is exactly the distilled vector. */
const FULL_SHADE = 55;

/** The nearest token of every position, darker if more similar, and the next nearest ones below. */
export function NearestTokens({ positions }: Pick<InspectedSample, "positions">) {
  const most = Math.max(...positions.map((nearest) => nearest.length));
  const head = ["position", ...Array.from({ length: most }, (_, rank) => `nearest ${rank + 1}`)];
  const rows = positions.map((nearest, at) => [`${at}`, ...nearest.map(tokenText)]);
  return (
    <>
      <div class="tokens">
        {positions.map((nearest, at) => {
          const [token, cosine] = nearest[0] ?? ["", 0];
          const title = nearest.map(tokenText).join(", ");
          return (
            <span key={at} title={title} style={`background:${shade(cosine)}`}>
              {token}
            </span>
          );
        })}
      </div>
      <details>
        <summary>Nearest tokens by position, with their cosines</summary>
        <NumberTable head={head} rows={rows} />
      </details>
    </>
  );
}

function tokenText([token, cosine]: readonly [string, number]): string {
  return `${token} ${formatDecimals(cosine, 3)}`;
}

function shade(cosine: number): string {
  const share = Math.round(Math.max(0, cosine) * FULL_SHADE);
  return `color-mix(in srgb, var(--series-1) ${share}%, transparent)`;
}
