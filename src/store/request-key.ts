/**
 * The key under which a request id is stored. It includes the owner, so that the same id of another
 * owner, guessed or derived from the same specs, is another request.
 */
export function requestKey(owner: string, requestId: string): string | null {
  if (requestId === "") return null;
  // An owner contains no line break.
  return owner === "" ? requestId : `${owner}\n${requestId}`;
}
