import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { watchIommu } from '../../src/analysis/iommuMappings.js';
import { read, userErrorOf } from '../support/reading.js';

/*
 * What becomes of every log of the folder that SWIOTLB_LOGS names when it is to be replayed; CI sets
 * it. The lines are as people posted them.
 */
const folder = process.env.SWIOTLB_LOGS;
if (folder === undefined)
  console.info('logFormats.test.ts: skipped, SWIOTLB_LOGS names no folder of logs');
const files = folder === undefined ? [] : readdirSync(folder).filter((name) => /\.log$/.test(name));

/** The numbers of the logs that are no mere kernel logs, and the word of the refusal that tells why. */
const REFUSED_FOR: Record<string, string> = {
  27: '2 swiotlb_bounced records',
  28: '4 swiotlb_bounced records',
  // A print that looks like swiotlb_bounced, of no kernel.
  30: 'no line can be understood',
  // Records of other events.
  78: 'no line can be understood',
  79: 'no line can be understood',
  // Debug prints of somebody's own.
  85: 'no line can be understood',
  96: 'no line can be understood',
  // Counts of a bpftrace one-liner.
  100: 'no line can be understood',
};

/** Records of an IOMMU's page tables alone: how many maps, unmaps and faults. */
const PAGE_TABLES: Record<string, [maps: number, unmaps: number, faults: number]> = {
  62: [1, 1, 1],
  63: [4, 2, 0],
  68: [1, 0, 0],
};

/** The debug print, bare, wrapped, and quoted-printable. */
const REPLAYED = ['01', '02', '03'];

describe.skipIf(folder === undefined)('of the logs', () => {
  test('there are some', () => {
    expect(files.length).toBeGreaterThan(60);
  });

  test.each(files)('%s is replayed, or refused for the right reason', async (name) => {
    const log = readFileSync(join(folder as string, name));
    const number = name.split('-')[0];
    if (REPLAYED.includes(number)) {
      const { tally, events } = await read(log);
      expect(tally.format).toBe('dev-dbg');
      expect(events.map(({ result }) => result)).toEqual([0x98326800, 0x98328800, 0x9832a800]);
    } else if (number in PAGE_TABLES) {
      const watch = watchIommu();
      const { tally, info } = await read(log, { onIommu: watch.see });
      const { maps = 0, unmaps = 0, faults } = watch.facts() ?? {};
      expect([tally.events, info.problems.count]).toEqual([0, 0]);
      expect([maps, unmaps, faults?.count]).toEqual(PAGE_TABLES[number]);
    } else {
      const why = REFUSED_FOR[number] ?? 'is a kernel log';
      expect(await userErrorOf(() => read(log))).toContain(why);
    }
  });
});
