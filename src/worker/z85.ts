const ALPHABET =
  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** Bytes as text the way ZeroMQ writes keys (its RFC 32): four bytes are five characters. */
export function encodeZ85(bytes: Buffer): string {
  if (bytes.length % 4 !== 0)
    throw new RangeError(`Z85 takes a multiple of 4 bytes, got ${bytes.length}`);
  let text = "";
  for (let offset = 0; offset < bytes.length; offset += 4) {
    const value = bytes.readUInt32BE(offset);
    for (const divisor of [85 ** 4, 85 ** 3, 85 ** 2, 85, 1]) {
      text += ALPHABET[Math.floor(value / divisor) % 85];
    }
  }
  return text;
}
