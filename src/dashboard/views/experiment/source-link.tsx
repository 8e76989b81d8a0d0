import { useResource } from "../../parts/resource.js";
import { getExperiment } from "../../server/api.js";

/** Where distilled data that is tried comes from: an artifact has the id of its experiment. */
export function SourceLink({ artifactId }: { readonly artifactId: string }) {
  const { data } = useResource(`source ${artifactId}`, (signal) =>
    getExperiment(artifactId, signal),
  );
  if (data === undefined) return <code>{artifactId}</code>;
  return <a href={`/experiments/${artifactId}#distilled-title`}>{artifactId}</a>;
}
