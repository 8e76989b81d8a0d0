import { useResource } from "../../parts/resource.js";
import { getExperiment } from "../../server/api.js";

/** Links to the experiment that an artifact comes from, which has the same id. */
export function SourceLink({ artifactId }: { readonly artifactId: string }) {
  const { data } = useResource(`source ${artifactId}`, (signal) =>
    getExperiment(artifactId, signal),
  );
  if (data === undefined) return <code>{artifactId}</code>;
  return <a href={`/experiments/${artifactId}#distilled-title`}>{artifactId}</a>;
}
