/**
 * Whether an error leaves open what became of a statement: the connection is no more, or its answer
 * did not come. Errors of the client itself have no code, or one of the system, such as ECONNRESET;
 * the server's have five characters.
 *
 * @param {{ readonly code: string }} fault
 */
export function isUnanswered({ code }) {
  return !/^[0-9A-Z]{5}$/.test(code) || /^(08|57P)/.test(code) || code === "25P03";
}
