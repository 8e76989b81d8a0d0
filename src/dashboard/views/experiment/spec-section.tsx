import { useMemo, useState } from "preact/hooks";
import type { ExperimentView } from "../../model/experiment-view.js";
import { presetOf, repeatingCommand, type SpecRow, specRows } from "../../model/settings-view.js";
import { CheckBox } from "../../parts/check-box.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { CommandBox } from "../../parts/command-box.js";
import { useResource } from "../../parts/resource.js";
import { ScrollTable } from "../../parts/scroll.js";
import { getSettings } from "../../server/api.js";

/** The resolved spec, its differences to the preset, and the command that repeats it. */
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
      {shown.length === 0 ? null : <SettingTable rows={shown} preset={preset} />}
      <h3>Command to repeat it</h3>
      <CommandBox command={command} />
    </section>
  );
}

interface SettingTableProps {
  readonly rows: readonly SpecRow[];
  readonly preset: string;
}

function SettingTable({ rows, preset }: SettingTableProps) {
  return (
    <ScrollTable label="Values of settings" class="table compact settings">
      <ColumnHeads words={["Setting", "Value", `Preset ${preset}`, "What it does"]} />
      <tbody>
        {rows.map(({ setting, value, preset, isChanged }) => (
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
  );
}
