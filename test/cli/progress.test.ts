import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProgress, type Progress, showProgress } from '../../src/cli/progress.js';
import { swiotlbReplay } from '../support/cli.js';

/** A terminal that remembers what was written to it. */
function terminal(isTTY = true) {
  let text = '';
  return {
    isTTY,
    columns: 100,
    write(piece: string) {
      text += piece;
      return true;
    },
    /** What was written since the last look. */
    look() {
      const seen = text;
      text = '';
      return seen;
    },
  } as unknown as NodeJS.WriteStream & { look(): string };
}

/** What a line of a terminal shows in the end: its text without escapes, after the last one that clears it. */
function shown(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what it is about.
  return (text.split('\x1b[2K').at(-1) ?? '').replace(/\x1b(\[[0-9;?]*[A-Za-z]|[78])/g, '');
}

function wait(progress: Progress, milliseconds: number): void {
  vi.advanceTimersByTime(milliseconds);
  progress.tick();
}

const MIB = 2 ** 20;

describe('progress', () => {
  beforeEach(() => {
    vi.stubEnv('TERM', 'xterm');
    vi.useFakeTimers({
      toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'],
    });
  });

  afterEach(() => {
    vi.unstubAllEnvs();
    vi.useRealTimers();
  });

  test('is silent for half a second, then tells how much, how fast and how long still', () => {
    const stream = terminal();
    const tally = { bytes: 0, cutLines: 0 };
    const progress = createProgress({ tally, size: 100 * MIB }, stream);
    tally.bytes = 5 * MIB;
    wait(progress, 400);
    expect(stream.look()).toBe('');
    tally.bytes = 10 * MIB;
    wait(progress, 600);
    const text = stream.look();
    expect(text).toContain('##.....');
    expect(text).toContain('10 %  10 MiB  10 MiB/s  9 s left');
    tally.bytes = 50 * MIB;
    wait(progress, 1000);
    expect(stream.look()).toContain('50 %  50 MiB  25 MiB/s  2 s left');
    progress.end();
    expect(shown(stream.look())).toBe('');
  });

  test('goes by the packed bytes of a packed file', () => {
    const stream = terminal();
    const tally = { bytes: 90 * MIB, taken: 2 * MIB, cutLines: 0 };
    const progress = createProgress({ tally, size: 8 * MIB }, stream);
    wait(progress, 1000);
    expect(stream.look()).toContain('25 %  2 MiB');
    progress.end();
  });

  test('promises nothing of what has no known end', () => {
    const stream = terminal();
    const progress = showProgress({ done: () => 3e6, total: undefined, unit: 'events' }, stream);
    wait(progress, 2000);
    const text = stream.look();
    expect(text).toContain('3.0 million events  1.5 million events/s');
    expect(text).not.toContain('%');
    expect(text).not.toContain('left');
    progress.end();
    expect(shown(stream.look())).toBe('');
  });

  test('of hours tells hours', () => {
    const stream = terminal();
    const progress = showProgress({ done: () => 1, total: 9001, unit: 'replays' }, stream);
    wait(progress, 1000);
    expect(stream.look()).toContain('1 replays  1 replays/s  2 h 30 min left');
    progress.end();
  });

  test.each([
    ['no terminal', false, 'xterm'],
    ['a terminal that knows no cursor', true, 'dumb'],
  ])('is silent on %s', (_, isTTY, term) => {
    vi.stubEnv('TERM', term);
    const stream = terminal(isTTY);
    const progress = showProgress({ done: () => 1, total: 2, unit: 'events' }, stream);
    wait(progress, 5000);
    progress.end();
    expect(stream.look()).toBe('');
  });

  test('leaves no timer and no listener behind', () => {
    const listeners = process.listenerCount('exit');
    const progress = showProgress({ done: () => 1, total: 2, unit: 'events' }, terminal());
    wait(progress, 1000);
    expect(process.listenerCount('exit')).toBe(listeners + 1);
    progress.end();
    expect(process.listenerCount('exit')).toBe(listeners);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('has no colours', () => {
    const stream = terminal();
    const progress = showProgress({ done: () => 1, total: 2, unit: 'events' }, stream);
    wait(progress, 1000);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what it is about.
    expect(stream.look()).not.toMatch(/\x1b\[[0-9;]*m/);
    progress.end();
  });
});

test('a program that is over at once loads no progress bar', () => {
  const { stderr } = swiotlbReplay(['verify', 'traces/fragmented/trace.csv'], {
    env: { NODE_DEBUG: 'module' },
  });
  expect(stderr).not.toContain('cli-progress');
});
