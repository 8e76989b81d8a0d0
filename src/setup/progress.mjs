const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const PLAIN_INTERVAL_MS = 15_000;

/**
 * Shows the steps of a set-up on a terminal as a list whose last line is live, elsewhere as plain
 * lines. Prints nothing before the first step starts.
 *
 * @param {NodeJS.WriteStream} stream where to write: never stdout, which belongs to the command
 * @param {boolean} live whether the stream is a terminal that understands a carriage return
 */
export function createProgress(stream, live) {
  /** @type {{ name: string, detail: string, startMs: number } | undefined} */
  let step;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  let frame = 0;
  let headed = false;

  const clear = () => live && step && stream.write("\r\x1b[K");
  const draw = () => {
    if (!step) return;
    const took = elapsed(Date.now() - step.startMs);
    const text = [`${step.name} ${took}`, step.detail].filter(Boolean).join("  ");
    if (live) {
      frame = (frame + 1) % FRAMES.length;
      stream.write(`\r\x1b[K  ${FRAMES[frame]} ${text}`.slice(0, (stream.columns || 80) + 3));
    } else stream.write(`    ${text}\n`);
  };
  const finish = (/** @type {string} */ line) => {
    clear();
    clearInterval(timer);
    step = undefined;
    stream.write(`${line}\n`);
  };

  return {
    /** @param {string} name */
    start(name) {
      if (!headed) stream.write("Setting up Stillhouse. Later starts skip this.\n");
      headed = true;
      step = { name, detail: "", startMs: Date.now() };
      if (live) draw();
      else stream.write(`  ${name} …\n`);
      timer = setInterval(draw, live ? FRAME_MS : PLAIN_INTERVAL_MS);
    },
    /** What the running step is doing. @param {string} text */
    detail(text) {
      if (step) step.detail = text;
    },
    /** @param {string} [note] */
    done(note) {
      if (!step) return;
      const took = note ?? elapsed(Date.now() - step.startMs);
      finish(`  ✓ ${step.name} (${took})`);
    },
    fail() {
      if (step) finish(`  ✗ ${step.name}`);
    },
    /** A sentence between the steps. @param {string} sentence */
    say(sentence) {
      clear();
      stream.write(`${sentence}\n`);
    },
  };
}

/** @typedef {ReturnType<typeof createProgress>} Progress */

/** @param {number} ms */
function elapsed(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** @param {number} bytes */
export function megabytes(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e6).toFixed(1)}` : `${Math.round(bytes / 1e6)}`;
}
