/**
 * The key under which a request id is stored. It includes the owner: the same id of another owner
 * is another request, whether it was guessed or follows from the same specs.
 */
export function requestKey(owner: string, requestId: string): string | null {
  if (requestId === "") return null;
  // An owner is one line.
  return owner === "" ? requestId : `${owner}\n${requestId}`;
}
