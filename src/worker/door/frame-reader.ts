/** Of ZMTP 3: both sides begin with a greeting of this length. */
export const GREETING_BYTES = 64;
const SIGNATURE_START = 0xff;
const SIGNATURE_END = 0x7f;
const SIGNATURE_END_AT = 9;
const MAJOR_VERSION_AT = 10;
const MIN_MAJOR_VERSION = 3;

const MORE = 1;
const LONG = 2;
const COMMAND = 4;
const SHORT_HEADER_BYTES = 2;
const LONG_HEADER_BYTES = 9;

/** The header of a frame. */
export interface Frame {
  /** Bytes that follow the header. */
  readonly size: number;
  /** Of ZeroMQ itself: handshake and pings. Others are parts of messages. */
  readonly isCommand: boolean;
  /** Whether another frame belongs to the same message; under CURVE the first one hides it. */
  readonly hasMore: boolean;
}

export interface FrameListener {
  /** A frame begins; its bytes are still to come. */
  begins(frame: Frame): void;
  /** All of its bytes have come. */
  ends(frame: Frame): void;
}

/**
 * Finds the frames in one direction of a connection of ZMTP 3 (RFC 23), whose bytes it keeps not.
 */
export class FrameReader {
  readonly #listener: FrameListener;
  #greetingLeft = GREETING_BYTES;
  readonly #header: number[] = [];
  #frame: Frame | undefined;
  #frameLeft = 0;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** @returns false when this is not ZMTP 3 */
  read(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.#greetingLeft > 0) {
        if (!this.#isGreeting(bytes[at] ?? 0)) return false;
        this.#greetingLeft--;
        at++;
      } else if (this.#frame) {
        const taken = Math.min(this.#frameLeft, bytes.length - at);
        at += taken;
        this.#frameLeft -= taken;
        this.#endIfComplete();
      } else {
        this.#header.push(bytes[at] ?? 0);
        at++;
        if (this.#header.length === headerBytes(this.#header[0] ?? 0)) this.#begin();
      }
    }
    return true;
  }

  #isGreeting(byte: number): boolean {
    const at = GREETING_BYTES - this.#greetingLeft;
    if (at === 0) return byte === SIGNATURE_START;
    if (at === SIGNATURE_END_AT) return byte === SIGNATURE_END;
    return at !== MAJOR_VERSION_AT || byte >= MIN_MAJOR_VERSION;
  }

  #begin(): void {
    const [flags = 0, ...length] = this.#header;
    this.#header.length = 0;
    const size = length.reduce((sum, byte) => sum * 256 + byte, 0);
    this.#frame = { size, isCommand: (flags & COMMAND) !== 0, hasMore: (flags & MORE) !== 0 };
    this.#frameLeft = size;
    this.#listener.begins(this.#frame);
    this.#endIfComplete();
  }

  #endIfComplete(): void {
    const frame = this.#frame;
    if (frame === undefined || this.#frameLeft > 0) return;
    this.#frame = undefined;
    this.#listener.ends(frame);
  }
}

function headerBytes(flags: number): number {
  return (flags & LONG) !== 0 ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
}
