import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Interrupts a run once it is at work; tells how it ended, and which files are left. */
async function interrupt(
  name: string,
  command: (here: string) => string[],
  input: 'ignore' | 'pipe' = 'ignore',
) {
  const here = join(folder, name);
  const temporary = join(here, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const words = command(here);
  const isDrafting = words[0] === 'generate' || input === 'pipe';
  const before = readdirSync(here);
  const child = spawn(process.execPath, ['bin/swiotlb-replay.js', ...words], {
    cwd: PROJECT,
    env: { PATH: process.env.PATH, TMPDIR: temporary },
    stdio: [input, 'ignore', 'ignore'],
  });
  const ended = once(child, 'exit');
  if (isDrafting) {
    while (child.exitCode === null && readdirSync(here).length === before.length) {
      await setTimeout(5);
    }
  } else {
    await setTimeout(500);
  }
  child.kill('SIGINT');
  return {
    end: await ended,
    left: readdirSync(here).filter((each) => !before.includes(each)),
    temporary: readdirSync(temporary),
  };
}

/** Ended by the signal itself, for which a shell says 130. */
const GONE = { end: [null, 'SIGINT'], left: [], temporary: [] };

describe('an interrupt ends the program at once, and nothing is left of it', () => {
  test('while it waits for the writer of a FIFO', async () => {
    const run = interrupt('waiting', (here) => {
      execFileSync('mkfifo', [join(here, 'fifo')]);
      return ['replay', join(here, 'fifo'), '-o', join(here, 'report.txt')];
    });
    expect(await run).toEqual(GONE);
  });

  test('while it has begun to write, and waits for the writer of a pipe', async () => {
    const trace = join(folder, 'trace.csv');
    swiotlbReplay(['generate', '--events', '20K', '-o', trace]);
    const words = ['replay', trace, '-', '--json', '-o'];
    const run = interrupt('silent', (here) => [...words, join(here, 'report.json')], 'pipe');
    expect(await run).toEqual(GONE);
  });

  test('while it writes', async () => {
    const words = ['generate', '--events', '100M', '-o'];
    expect(await interrupt('writing', (here) => [...words, join(here, 'trace.csv')])).toEqual(GONE);
  });

  test('while threads replay', async () => {
    // More pools than can be tried in a second.
    const sweep = 'nslabs=64..65536+64,areas=1|2,kernel=v5.10|v6.1|v6.6|v6.12';
    const run = interrupt('threads', (here) => {
      const words = ['size', 'traces/fragmented/trace.csv', '--jobs', '2', '--sweep', sweep];
      return [...words, '-o', join(here, 'sizes.txt')];
    });
    expect(await run).toEqual(GONE);
  });
});
