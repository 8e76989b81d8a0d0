import type { ComponentChildren } from "preact";

export interface ScrollTableProps {
  /** What a screen reader calls it. */
  readonly label: string;
  readonly class: string;
  /** CSS class of the frame that the table scrolls in. */
  readonly frameClass?: string;
  readonly children: ComponentChildren;
}

/** A table that scrolls, by the keyboard too, where it is larger than its frame. */
export function ScrollTable({ label, frameClass = "", children, ...rest }: ScrollTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach it to scroll it
    <section class={`scroll ${frameClass}`.trim()} tabIndex={0} aria-label={label}>
      <table class={rest.class}>{children}</table>
    </section>
  );
}

/** Preformatted text of any size, which scrolls. */
export function ScrollText({ children }: { readonly children: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach it to scroll it
    <pre class="scroll" tabIndex={0}>
      {children}
    </pre>
  );
}
