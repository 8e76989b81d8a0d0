/** The address that compares experiments; gains are relative to the first one. */
export function compareAddress(ids: Iterable<string>): string {
  return `/compare?${[...ids].map((id) => `id=${encodeURIComponent(id)}`).join("&")}`;
}
