import { describe, expect, test } from 'vitest';
import { watchDmaColumns } from '../../src/analysis/iommu/dmaColumns.js';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';
import { createDmaSession } from '../../src/replay/dmaIommu/session.js';
import { traceOf } from '../support/dmaChecks.js';

/** What each row gave: its device addresses, and its result. */
function playedIn(release: string, rows: readonly string[]): string[] {
  const found = findIommuRelease(release);
  if (found === undefined) throw new Error(release);
  const trace = traceOf(rows);
  const session = createDmaSession(trace, found);
  const played: string[] = [];
  watchDmaColumns(session, trace, false, (row) => {
    const { dma, result } = row.replayed();
    played.push(`${dma} ${result}`.trim());
  });
  for (const row of trace.rows) session.run(row);
  session.finish();
  return played;
}

describe('a trace of another release', () => {
  test('is about the mapping that its ids name, wherever that is', () => {
    // v5.14 maps a granule more, so its addresses lie lower than those of v5.16.
    const rows = [
      'nvme,map_page,1,0x402a0a74,13000,2,0x0,0xffff8a74,0x41000a74',
      'nvme,dev_write,1,,100,0,0x7,0xffff9000,100',
      'nvme,sync_single_cpu,1,,100,2,0x0,0xffff9000',
      'nvme,unmap_page,1,,13000,2,0x0,0xffff8a74',
    ];
    expect(playedIn('v5.14', rows)).toEqual([
      '0xffff8a74 0x41000a74',
      '0xffff9000 100',
      '0xffff9000',
      '0xffff8a74',
    ]);
    expect(playedIn('v5.16', rows).map((words) => words.split(' ')[0])).toEqual([
      '0xffffca74',
      '0xffffd000',
      '0xffffd000',
      '0xffffca74',
    ]);
  });

  test('finds the segment of a list that an address is in', () => {
    const rows = [
      'disk,map_page,9,0x40200000,65536,1',
      'eth,map_sg,1,0x40300200+700;0x40400200+700,2,2,0x0,0x70000000+700;0x50000000+700',
      'eth,dev_write,1,,8,0,0x7,0x50000010,8',
      'eth,dev_write,1,,8,0,0x7,0x70000020,8',
    ];
    expect(playedIn('v7.2', rows).slice(1)).toEqual([
      '0xfffff000+700;0xffffe000+700 2',
      '0xffffe010 8',
      '0xfffff020 8',
    ]);
  });

  test('does nothing for what only the recorded kernel could map', () => {
    const rows = [
      'eth,map_page,1,0x40300200,300000,2,0x0,0xfffb0000,0x41000000',
      'eth,map_page,2,0x40500200,4096,2',
      'eth,unmap_page,1,,300000,2,0x0,0xfffff000',
      'eth,dev_write,2,,8,0,0x7',
    ];
    // The address that line 11 names is that of another mapping here.
    expect(playedIn('v7.2', rows)).toEqual([
      'error fail',
      '0xfffff000 0x41000000',
      '',
      '0xfffff000 8',
    ]);
  });
});

test('rows about nothing do nothing', () => {
  const rows = [
    'eth,unmap_sg,5,,2,1',
    'eth,sync_sg_cpu,5,,2,1',
    'eth,free,5,,4096,0',
    'eth,iova_link,5,0x40300000,4096,1',
    'eth,iova_unlink,5,,4096,1',
    'eth,iova_destroy,5,,4096,1',
    'eth,unmap_page,5,,4096,1',
    'eth,sync_single_cpu,5,,4096,1',
    'eth,dev_read,5,,4096,1',
    'eth,dev_write,5,,4096,1',
  ];
  expect(playedIn('v7.2', rows)).toEqual(rows.map(() => ''));
});
