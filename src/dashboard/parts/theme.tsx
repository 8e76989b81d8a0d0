import { signal } from "@preact/signals";

type Theme = "system" | "light" | "dark";

const KEY = "stillhouse.theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

const chosen = signal<Theme>(stored());

/** Rises when colours change: canvases do not follow style sheets by themselves. */
export const themeChanges = signal(0);

darkSystem.addEventListener("change", () => {
  themeChanges.value += 1;
});

export function applyTheme(): void {
  const root = document.documentElement;
  if (chosen.value === "system") delete root.dataset.theme;
  else root.dataset.theme = chosen.value;
  themeChanges.value += 1;
}

export function ThemeSwitch() {
  return (
    <label class="quiet-select">
      <span class="visually-hidden">Colours</span>
      <select
        value={chosen.value}
        onChange={({ currentTarget }) => {
          chosen.value = currentTarget.value as Theme;
          localStorage.setItem(KEY, chosen.value);
          applyTheme();
        }}
      >
        {THEMES.map((theme) => (
          <option key={theme} value={theme}>
            {theme[0]?.toUpperCase() + theme.slice(1)}
          </option>
        ))}
      </select>
    </label>
  );
}

// A custom property by itself still holds both colours, that of the light page and of the dark.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

/** A colour of the style sheets as it is now, such as "rgb(154, 76, 23)". */
export function themeColor(name: string): string {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function stored(): Theme {
  const theme = localStorage.getItem(KEY) as Theme | null;
  return theme !== null && THEMES.includes(theme) ? theme : "system";
}
