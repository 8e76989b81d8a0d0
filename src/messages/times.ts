/** What protobuf's own Timestamp may be, which JSON, Date and SQLite hold. */
const EARLIEST_MS = Date.parse("0001-01-01T00:00:00Z");
const LATEST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** Whether a time that came in can be stored; one that no Date holds was decoded to none. */
export function isStorable(time: Date): boolean {
  const ms = time.getTime();
  return ms >= EARLIEST_MS && ms <= LATEST_MS;
}
