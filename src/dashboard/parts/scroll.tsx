import type { ComponentChildren } from "preact";

export interface ScrollTableProps {
  /** What a screen reader calls it. */
  readonly label: string;
  readonly class: string;
  /** Of the frame that the table scrolls in. */
  readonly frameClass?: string;
  readonly children: ComponentChildren;
}

/** A table that may be larger than its place, and then scrolls, by the keyboard too. */
export function ScrollTable({ label, frameClass = "", children, ...rest }: ScrollTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach it to scroll it
    <section class={`scroll ${frameClass}`.trim()} tabIndex={0} aria-label={label}>
      <table class={rest.class}>{children}</table>
    </section>
  );
}

/** Text with its own lines, of any width and height. */
export function ScrollText({ children }: { readonly children: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach it to scroll it
    <pre class="scroll" tabIndex={0}>
      {children}
    </pre>
  );
}
