/** The page's style: light and dark by the reader's choice, always light on paper. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#ffffff, #15181c);
  --ink: light-dark(#1b1f24, #e6e8eb);
  --faint: light-dark(#59616b, #9aa3ad);
  --line: light-dark(#e1e4e8, #2c323a);
  --series-1: light-dark(#2563b0, #6aa5ef);
  --series-2: light-dark(#b8500c, #f0955a);
  --series-3: light-dark(#1b7f5c, #4fc296);
  --series-4: light-dark(#8a3fa0, #cf8fe3);
  --series-5: light-dark(#8a6d00, #d8b93c);
  --series-6: light-dark(#b0305c, #f2799f);
}
* { box-sizing: border-box; }
body {
  margin: 2rem auto;
  max-width: 66rem;
  padding: 0 1.25rem;
  background: var(--paper);
  color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 0.25rem; }
h4 { font-size: 1rem; margin: 1.25rem 0 0.25rem; }
p, figcaption { color: var(--faint); margin: 0.25rem 0 0.75rem; max-width: 48rem; }
figcaption { font-size: 0.875rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td {
  padding: 0.2rem 0.75rem 0.2rem 0;
  border-bottom: 1px solid var(--line);
  text-align: right;
  white-space: nowrap;
}
th { font-weight: 600; }
tbody th { font-weight: 400; }
th:first-child { text-align: left; }
figure.chart { margin: 1rem 0; }
figure.chart figure { margin: 0; }
figure.chart figure > div { font-size: 0.8125rem; }
details { margin: 0.25rem 0; }
summary { cursor: pointer; color: var(--faint); font-size: 0.875rem; }
pre {
  overflow-x: auto;
  padding: 0.75rem;
  border: 1px solid var(--line);
  font: 0.8125rem/1.45 ui-monospace, monospace;
}
code { font: 0.875em ui-monospace, monospace; overflow-wrap: anywhere; }
.tokens { margin: 0.5rem 0; }
.tokens span {
  display: inline-block;
  padding: 0 0.3rem;
  line-height: 1.5;
  margin: 0.1rem 0.15rem 0.1rem 0;
  border-radius: 0.2rem;
  font: 0.875rem ui-monospace, monospace;
  white-space: pre;
}
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; font-size: 0.875rem; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
@media print {
  :root { color-scheme: light; print-color-adjust: exact; }
  body { margin: 0; max-width: none; font-size: 11pt; }
  figure.chart, tr { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
  details:not([open]) { display: none; }
}
`;
