import { render } from "preact";
import "@fontsource-variable/inter/wght.css";
import "./style/tokens.css";
import "./style/page.css";
import "./style/parts.css";
import "./style/views.css";
import { App } from "./app.js";
import { applyTheme } from "./parts/theme.js";

applyTheme();
const root = document.getElementById("page");
if (root) render(<App />, root);
