import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { swiotlbReplay } from '../support/cli.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const BASE = 0x97ff0000;

/** Requests that every release serves alike: with their releases, more events than a batch holds. */
const ALIKE = 6000;

/** A trace without a kernel's name, at whose end `pages` get the slots from the next on plus these. */
function trace(pages: readonly number[]): string {
  const addressOf = (slot: number): string => `0x${(BASE + slot * 2048).toString(16)}`;
  const lines = [
    '#swiotlb-trace 1',
    `#pool name=default base=${addressOf(0)} nslabs=32768`,
    '#device name=nvme0 min_align_mask=0x0',
    'dev,op,orig_addr,size,dir,tlb_addr',
  ];
  for (let slot = 0; slot < ALIKE; slot++) {
    lines.push(`nvme0,map,0x1000000,2048,to_device,${addressOf(slot)}`);
    lines.push(`nvme0,unmap,,2048,to_device,${addressOf(slot)}`);
  }
  for (const beyond of pages) {
    lines.push(`nvme0,map,0x100800,4096,to_device,${addressOf(ALIKE + beyond)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The same report, by a reader that can go back and by one that cannot. */
function both(name: string, text: string) {
  const path = join(folder, name);
  writeFileSync(path, text);
  const piped = swiotlbReplay(['-', '--json'], { input: readFileSync(path) });
  const read = swiotlbReplay([path, '--json']);
  return [piped, read].map(({ stdout, status }) => {
    const report = JSON.parse(stdout);
    return { ...report, trace: { ...report.trace, path: '' }, status };
  });
}

describe('which release a trace is from', () => {
  test('is the newest that gives all, whether the trace can be read again or not', () => {
    const [piped, read] = both('alike.csv', trace([]));
    expect(read).toEqual(piped);
    expect(read).toMatchObject({
      kernel: 'v7.2',
      kernelReason: 'the newest that gives every recorded address',
    });
  });

  test('is an older one if the newest fails late', () => {
    // Page bits of the original address, as no release but v6.8 keeps them (see traces/page-bits).
    const [piped, read] = both('late.csv', trace([1]));
    expect(read).toEqual(piped);
    expect(read).toMatchObject({ kernel: 'v6.8', summary: { mismatches: 0, maps: ALIKE + 1 } });
  });

  test('is the latest if all of them fail late', () => {
    const [piped, read] = both('never.csv', trace([1, 77]));
    expect(read).toEqual(piped);
    expect(read).toMatchObject({
      kernel: 'v7.2',
      kernelReason: 'the latest: no release gives all the recorded addresses',
    });
  });
});
