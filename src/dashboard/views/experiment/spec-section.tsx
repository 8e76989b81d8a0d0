import { useMemo, useState } from "preact/hooks";
import type { ExperimentView } from "../../model/experiment-view.js";
import { presetOf, repeatingCommand, specRows } from "../../model/settings-view.js";
import { CheckBox } from "../../parts/check-box.js";
import { CommandBox } from "../../parts/command-box.js";
import { useResource } from "../../parts/resource.js";
import { ScrollTable } from "../../parts/scroll.js";
import { getSettings } from "../../server/api.js";

/** The resolved spec, what of it is not the preset's, and the command that repeats it. */
export function SpecSection({ view }: { readonly view: ExperimentView }) {
  const { data: settings } = useResource("settings", getSettings);
  const [isAll, setIsAll] = useState(false);
  const { spec } = view;
  const rows = useMemo(() => (settings ? specRows(spec, settings) : []), [spec, settings]);
  const command = useMemo(
    () => (settings ? repeatingCommand(spec, settings) : ""),
    [spec, settings],
  );
  const changed = rows.filter(({ isChanged }) => isChanged);
  const shown = isAll ? rows : changed;
  const preset = presetOf(spec);
  return (
    <section aria-labelledby="settings-title" class="section">
      <div class="section-head">
        <h2 id="settings-title">Settings</h2>
        <CheckBox label={`All ${rows.length}`} checked={isAll} onChange={setIsAll} />
      </div>
      <p class="muted">
        Preset {preset}
        {changed.length === 0
          ? ", unchanged."
          : `, with ${changed.length} ${changed.length === 1 ? "setting" : "settings"} of its own:`}
      </p>
      {shown.length === 0 ? null : (
        <ScrollTable label="Values of settings" class="table compact settings">
          <thead>
            <tr>
              <th scope="col">Setting</th>
              <th scope="col">Value</th>
              <th scope="col">Preset {preset}</th>
              <th scope="col">What it does</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ setting, value, preset, isChanged }) => (
              <tr key={setting.flag} class={isChanged ? "changed" : ""}>
                <th scope="row">
                  <code>{setting.flag}</code>
                </th>
                <td class="strong">
                  {value || "–"}
                  {isChanged ? <span class="visually-hidden"> (not the preset's)</span> : null}
                </td>
                <td class="muted">{preset || "–"}</td>
                <td class="muted">{setting.help}</td>
              </tr>
            ))}
          </tbody>
        </ScrollTable>
      )}
      <h3>Command to repeat it</h3>
      <CommandBox command={command} />
    </section>
  );
}
