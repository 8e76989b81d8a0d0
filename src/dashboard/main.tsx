import { render } from "preact";
import "@fontsource-variable/inter/wght.css";
import "./style/tokens.css";
import "./style/page.css";
import "./style/parts.css";
import "./style/table.css";
import "./style/figure.css";
import "./style/overview.css";
import "./style/experiment.css";
import "./style/matrix.css";
import "./style/workers.css";
import "./style/new.css";
import { App } from "./app.js";
import { applyTheme } from "./parts/theme.js";
import { untilAnswered } from "./server/http.js";

const RELOADED = "stillhouse.reloaded";
/** If a part is still missing after one reload, that is a defect and not a newer page. */
const ONCE_IN_MS = 10_000;

// A part of the page that cannot be loaded: the server is away, or serves a newer page by now.
addEventListener("vite:preloadError", async () => {
  await untilAnswered();
  const lastMs = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - lastMs < ONCE_IN_MS) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.reload();
});

applyTheme();
const root = document.getElementById("page");
if (root) render(<App />, root);
