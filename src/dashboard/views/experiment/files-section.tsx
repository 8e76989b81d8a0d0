import { useState } from "preact/hooks";
import { formatBytes } from "../../../text/format.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import { Empty, Problem } from "../../parts/notice.js";
import { asServerError } from "../../parts/resource.js";
import { saveAs } from "../../parts/save.js";
import { artifactFilePath, readFile } from "../../server/api.js";
import type { ServerError } from "../../server/http.js";

/** The files of the artifact; a link would not carry the token. */
export function FilesSection({ view }: { readonly view: ExperimentView }) {
  const [error, setError] = useState<ServerError>();
  const { artifactId = "", files = [] } = view.distilled ?? {};
  const download = async (name: string) => {
    try {
      saveAs(name, await readFile(artifactFilePath(artifactId, name)));
      setError(undefined);
    } catch (failed) {
      setError(asServerError(failed));
    }
  };
  return (
    <section aria-labelledby="files-title" class="section">
      <h2 id="files-title">Files</h2>
      {files.length === 0 ? <Empty>There are no files yet.</Empty> : null}
      <ul class="files">
        {files.map(({ name, size, sha256 }) => (
          <li key={name}>
            <button type="button" class="button" onClick={() => download(name)}>
              Download {name}
            </button>
            <span class="muted">
              {formatBytes(size)} · SHA-256 <code class="hash">{sha256.slice(0, 16)}…</code>
            </span>
          </li>
        ))}
      </ul>
      <Problem error={error} />
    </section>
  );
}
