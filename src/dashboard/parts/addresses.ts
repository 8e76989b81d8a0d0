/** Where experiments are compared; the first is the one that gains are counted from. */
export function compareAddress(ids: Iterable<string>): string {
  return `/compare?${[...ids].map((id) => `id=${encodeURIComponent(id)}`).join("&")}`;
}
