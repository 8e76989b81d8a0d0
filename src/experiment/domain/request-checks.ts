import { invalid } from "../../errors.js";

export const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 100;
const MAX_PRIORITY = 100;
const ONE_LINE = /^[^\p{Cc}]{0,200}$/u;

/** The number of entries of a page; 0 stands for the default. Throws INVALID. */
export function pageSizeOf(requested: number, otherwise = DEFAULT_PAGE_SIZE): number {
  if (requested <= MAX_PAGE_SIZE) return requested || otherwise;
  throw invalid("page_size", `page_size must be from 0 to ${MAX_PAGE_SIZE}, got ${requested}`);
}

/** Throws INVALID for an invalid priority or owner. */
export function checkPlacement({ priority, owner }: { priority: number; owner: string }): void {
  if (Math.abs(priority) > MAX_PRIORITY) {
    const range = `-${MAX_PRIORITY} to ${MAX_PRIORITY}`;
    throw invalid("priority", `priority must be from ${range}, got ${priority}`);
  }
  checkLine("owner", owner);
}

/** Throws INVALID for a name that is not one short line. */
export function checkName(name: string): void {
  checkLine("name", name);
}

function checkLine(field: string, text: string): void {
  if (ONE_LINE.test(text)) return;
  const shown = JSON.stringify(text.slice(0, 50));
  throw invalid(field, `${field} must be one line of at most 200 characters, got ${shown}`);
}

/** A message that a request must have. Throws INVALID. */
export function given<Message>(message: Message | undefined, field: string): Message {
  if (message !== undefined) return message;
  throw invalid(field, `${field} must be set`);
}
