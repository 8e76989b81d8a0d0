import { asSentence } from "../../../text/format.js";
import type { DraftValues } from "../../model/draft.js";
import { defaultText } from "../../model/draft.js";
import type { PresetName, SettingView } from "../../model/settings-view.js";

export interface SettingFieldsProps {
  readonly settings: readonly SettingView[];
  readonly values: DraftValues;
  readonly problems: ReadonlyMap<string, string>;
  /** The setting that the server refused, and why. */
  readonly faulty: string | undefined;
  readonly fault: string | undefined;
  readonly preset: PresetName | undefined;
  readonly onChange: (flag: string, text: string) => void;
}

export interface SettingGroupProps extends SettingFieldsProps {
  readonly name: string;
  readonly isOpenAtFirst: boolean;
}

/** The settings of one group of the help. */
export function SettingGroup({ name, isOpenAtFirst, ...fields }: SettingGroupProps) {
  const { settings, values, problems, faulty } = fields;
  const numGiven = settings.filter(({ flag }) => values.has(flag)).length;
  const isFaulty = settings.some(({ flag }) => flag === faulty || problems.has(flag));
  return (
    <details class="setting-group" open={isOpenAtFirst || numGiven > 0 || isFaulty}>
      <summary>
        <h2>{name}</h2>
        {numGiven === 0 ? null : <span class="muted">{numGiven} given</span>}
      </summary>
      <SettingFields {...fields} />
    </details>
  );
}

export function SettingFields({ settings, ...rest }: SettingFieldsProps) {
  return (
    <div class="setting-fields">
      {settings.map((setting) => (
        <SettingField
          key={setting.flag}
          setting={setting}
          text={rest.values.get(setting.flag) ?? ""}
          problem={
            rest.problems.get(setting.flag) ??
            (rest.faulty === setting.flag ? rest.fault : undefined)
          }
          preset={rest.preset}
          onChange={(text) => rest.onChange(setting.flag, text)}
        />
      ))}
    </div>
  );
}

interface SettingFieldProps {
  readonly setting: SettingView;
  readonly text: string;
  readonly problem: string | undefined;
  readonly preset: PresetName | undefined;
  readonly onChange: (text: string) => void;
}

function SettingField({ setting, problem, ...rest }: SettingFieldProps) {
  const { flag, help, kind } = setting;
  const helpId = `help-${flag}`;
  const problemId = `problem-${flag}`;
  const shared = {
    id: `setting-${flag}`,
    "data-flag": flag,
    "aria-describedby": problem === undefined ? helpId : `${problemId} ${helpId}`,
    "aria-invalid": problem !== undefined,
  };
  const Input = kind === "choice" || kind === "switch" ? ChoiceInput : TextInput;
  return (
    <div class={`setting-field ${rest.text === "" ? "" : "given"}`}>
      <label for={shared.id}>{flag}</label>
      <Input {...rest} setting={setting} shared={shared} />
      {problem === undefined ? null : (
        <p id={problemId} class="field-problem">
          {asSentence(problem)}
        </p>
      )}
      <p id={helpId} class="muted field-help">
        {help}
      </p>
    </div>
  );
}

interface InputProps extends Pick<SettingFieldProps, "setting" | "text" | "preset" | "onChange"> {
  /** Attributes that tie an input of any kind to its label, its help and its problem. */
  readonly shared: Readonly<Record<string, string | boolean>>;
}

function ChoiceInput({ setting, text, preset, onChange, shared }: InputProps) {
  const standard = defaultText(setting, preset);
  const words = setting.kind === "switch" ? ["true", "false"] : Object.keys(setting.choices ?? {});
  return (
    <select
      {...shared}
      value={text}
      onChange={({ currentTarget }) => onChange(currentTarget.value)}
    >
      <option value="">{standard === "" ? "by default" : `default: ${standard}`}</option>
      {words.map((word) => (
        <option key={word} value={word}>
          {word}
        </option>
      ))}
    </select>
  );
}

function TextInput({ setting, text, preset, onChange, shared }: InputProps) {
  return (
    <input
      {...shared}
      type="text"
      inputMode={setting.kind === "number" ? "decimal" : "text"}
      autocomplete="off"
      spellcheck={false}
      placeholder={defaultText(setting, preset) || setting.placeholder}
      value={text}
      onInput={({ currentTarget }) => onChange(currentTarget.value)}
    />
  );
}
