import { CopyButton } from "./copy-button.js";
import { ScrollText } from "./scroll.js";

/** A command for a terminal, with a button to copy it. */
export function CommandBox({ command }: { readonly command: string }) {
  return (
    <div class="command">
      <ScrollText>{command}</ScrollText>
      <CopyButton text={command} label="Copy the command" />
    </div>
  );
}
