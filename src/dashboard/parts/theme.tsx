import { signal } from "@preact/signals";

type Theme = "system" | "light" | "dark";

const KEY = "stillhouse.theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

const chosen = signal<Theme>(stored());

/** Incremented when colours change: canvases do not follow style sheets by themselves. */
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

// A custom property itself still holds both colours, one for the light and one for the dark page.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

/** The present value of a colour of the style sheets, such as "rgb(154, 76, 23)". */
export function themeColor(name: string): string {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function stored(): Theme {
  const theme = localStorage.getItem(KEY) as Theme | null;
  return theme !== null && THEMES.includes(theme) ? theme : "system";
}
