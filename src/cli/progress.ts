import type { Source } from '../source/open.js';

/** Shows on a terminal how far a file has been read, once the work has taken a while. */
export interface Progress {
  /** To be called now and then. */
  tick(): void;
  /** Clears the line. */
  end(): void;
}

/** Milliseconds before anything is shown, and between two updates. */
const PATIENCE = 500;
const INTERVAL = 100;

/** Progress on `stream`; silent where it is no terminal. */
export function createProgress(source: Source, stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return { tick() {}, end() {} };
  const start = performance.now();
  let next = start + PATIENCE;
  let shown = false;
  return {
    tick() {
      const now = performance.now();
      if (now < next) return;
      next = now + INTERVAL;
      shown = true;
      const { bytes } = source.tally;
      const mib = Math.round(bytes / 2 ** 20);
      const rate = Math.round(bytes / 2 ** 20 / ((now - start) / 1000));
      const part = source.size
        ? `${Math.min(99, Math.floor((bytes / source.size) * 100))} %, `
        : '';
      stream.write(`\r\x1b[K${part}${mib} MiB, ${rate} MiB/s`);
    },
    end() {
      if (shown) stream.write('\r\x1b[K');
    },
  };
}
