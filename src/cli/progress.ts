import { createRequire } from 'node:module';
import type { SingleBar } from 'cli-progress';
import type { Source } from '../source/open.js';

/** Shows on a terminal how far work has come, once it has taken a while. */
export interface Progress {
  /** To be called now and then. */
  tick(): void;
  /** Clears the line. */
  end(): void;
}

/** How far work has come. */
export interface Work {
  done(): number;
  /** Undefined where nobody knows it. */
  total: number | undefined;
  /** What is counted; bytes are shown as MiB. */
  unit: string;
}

/** Where progress is shown. */
export type ProgressStream = NodeJS.WritableStream & { isTTY?: boolean };

/** Milliseconds before anything is shown, and between two updates. */
const PATIENCE = 500;
const INTERVAL = 100;

const BAR_WIDTH = 24;

/** Progress of reading a file; of a packed one, by how much of it has been unpacked. */
export function createProgress(
  { tally, size }: Pick<Source, 'tally' | 'size'>,
  stream: ProgressStream,
): Progress {
  const done = (): number => tally.taken ?? tally.bytes;
  return showProgress({ done, total: size, unit: 'bytes' }, stream);
}

/** Progress of any work on `stream`; silent where that is no terminal, or one that knows no cursor. */
export function showProgress(work: Work, stream: ProgressStream): Progress {
  if (!stream.isTTY || process.env.TERM === 'dumb') return { tick() {}, end() {} };
  const start = performance.now();
  let next = start + PATIENCE;
  let bar: SingleBar | undefined;
  // A reader that has seen enough ends the program in the middle of things.
  const clear = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    tick() {
      const now = performance.now();
      if (now < next) return;
      next = now + INTERVAL;
      const payload = words(work, (now - start) / 1000);
      const { total = 0 } = work;
      const done = Math.min(work.done(), total);
      if (bar === undefined) {
        bar = createBar(stream, work.total === undefined);
        process.once('exit', clear);
        bar.start(total, done, payload);
      } else {
        bar.update(done, payload);
      }
    },
    end() {
      process.removeListener('exit', clear);
      clear();
    },
  };
}

/** cli-progress is loaded when the first bar is shown: most runs are over before. */
function createBar(stream: ProgressStream, isEndless: boolean): SingleBar {
  const load = createRequire(import.meta.url);
  const { SingleBar: Bar } = load('cli-progress') as typeof import('cli-progress');
  return new Bar({
    stream,
    format: isEndless ? '{done}  {rate}' : '{bar} {percentage} %  {done}  {rate}  {left}',
    barCompleteChar: '#',
    barIncompleteChar: '.',
    barsize: BAR_WIDTH,
    fps: 1000 / INTERVAL,
    clearOnComplete: true,
    // Nothing is switched off, so nothing is left to mend when the program is killed.
    linewrap: true,
    hideCursor: false,
  });
}

/** What is said beside the bar: how much, how fast, how long still. */
function words({ done, total, unit }: Work, seconds: number): Record<string, string> {
  const amount = done();
  const rate = amount / seconds;
  const left = total === undefined || amount === 0 ? undefined : (total - amount) / rate;
  return {
    done: amountWords(amount, unit),
    rate: `${amountWords(rate, unit)}/s`,
    left: left === undefined ? '' : `${timeWords(Math.max(0, left))} left`,
  };
}

function amountWords(amount: number, unit: string): string {
  if (unit === 'bytes') return `${Math.round(amount / 2 ** 20)} MiB`;
  if (amount >= 1e6) return `${(amount / 1e6).toFixed(1)} million ${unit}`;
  return `${amount < 10 ? Number(amount.toFixed(1)) : Math.round(amount)} ${unit}`;
}

function timeWords(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
