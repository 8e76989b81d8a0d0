import type { ComponentChildren } from "preact";
import { renderToString } from "preact-render-to-string";
import { PAGE_STYLE } from "./page-style.js";

/** The page neither loads nor runs anything. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

interface PageProps {
  readonly title: string;
  readonly subject: string;
  readonly children: ComponentChildren;
}

/** One self-contained HTML document. */
export function renderPage({ title, subject, children }: PageProps): string {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content={POLICY} />
        <title>{`${title} · ${subject}`}</title>
        <style dangerouslySetInnerHTML={{ __html: PAGE_STYLE }} />
      </head>
      <body>
        <header>
          <h1>{title}</h1>
          <p>{subject}</p>
        </header>
        <main>{children}</main>
      </body>
    </html>
  );
  return `<!doctype html>\n${renderToString(page)}\n`;
}
