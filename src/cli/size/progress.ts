/** Shows on a terminal how many pools have been tried, once that takes a while. */
export interface TrialProgress {
  /** A trial is finished. */
  tick(): void;
  /** Clears the line. */
  end(): void;
}

/** Milliseconds before anything is shown, and between two updates. */
const PATIENCE = 500;
const INTERVAL = 100;

/**
 * Progress on `stream`; silent where it is no terminal.
 * @param total trials that there will be, where that is known
 */
export function createTrialProgress(
  total: number | undefined,
  stream: NodeJS.WriteStream,
): TrialProgress {
  if (!stream.isTTY) return { tick() {}, end() {} };
  let next = performance.now() + PATIENCE;
  let tried = 0;
  let shown = false;
  return {
    tick() {
      tried++;
      const now = performance.now();
      if (now < next) return;
      next = now + INTERVAL;
      shown = true;
      stream.write(`\r\x1b[K${tried}${total === undefined ? '' : ` of ${total}`} pools tried`);
    },
    end() {
      if (shown) stream.write('\r\x1b[K');
    },
  };
}
