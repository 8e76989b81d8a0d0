import { useState } from "preact/hooks";
import { formatRates } from "../../../text/format.js";
import type { Inspection } from "../../model/inspection-view.js";
import { Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { inspectArtifact } from "../../server/api.js";
import { AttentionMaps } from "./attention-maps.js";
import { HiddenLabels } from "./hidden-labels.js";
import { LearnedLabels } from "./learned-labels.js";
import { NearestTokens } from "./nearest-tokens.js";

/** The distilled data sample by sample: labels, nearest tokens, attention. */
export function DistilledSection({ artifactId }: { readonly artifactId: string }) {
  const { data, error } = useResource(`inspection ${artifactId}`, (signal) =>
    inspectArtifact(artifactId, signal),
  );
  if (data === undefined) {
    return (
      <>
        <Problem error={error} />
        {error === undefined ? <p class="muted">Reading the distilled data …</p> : null}
      </>
    );
  }
  return <Inspected inspection={data} />;
}

function Inspected({ inspection }: { readonly inspection: Inspection }) {
  const [chosen, setChosen] = useState(0);
  const { samples, learningRates, encoderScale, sheet, objective } = inspection;
  return (
    <>
      {objective === "" ? null : <p>{objective}</p>}
      <p class="muted">
        {samples.length}{" "}
        {sheet ? "images" : `samples of ${samples[0]?.positions.length ?? 0} vectors`}; learning{" "}
        {learningRates.length === 1 ? "rate" : "rates"} {formatRates(learningRates, encoderScale)}.
      </p>
      {sheet === undefined ? null : (
        <img class="contact-sheet" src={sheet} alt="All distilled images with their labels" />
      )}
      <LearnedLabels inspection={inspection} />
      {sheet === undefined ? (
        <Samples inspection={inspection} chosen={chosen} choose={setChosen} />
      ) : null}
    </>
  );
}

interface SamplesProps {
  readonly inspection: Inspection;
  readonly chosen: number;
  readonly choose: (at: number) => void;
}

/** One sample of texts at a time. */
function Samples({ inspection: { samples }, chosen, choose }: SamplesProps) {
  const sample = samples[chosen];
  return (
    <>
      <fieldset class="sample-choice">
        <legend>Sample</legend>
        {samples.map(({ className }, at) => (
          <label key={`${className} ${at}`} class="choice">
            <input type="radio" name="sample" checked={at === chosen} onChange={() => choose(at)} />
            {at + 1} {className}
          </label>
        ))}
      </fieldset>
      {sample === undefined ? null : (
        <>
          <NearestTokens sample={sample} />
          <AttentionMaps sample={sample} />
          <HiddenLabels sample={sample} />
        </>
      )}
    </>
  );
}
