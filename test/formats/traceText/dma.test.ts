import { describe, expect, test } from 'vitest';
import { type Reading, read, userErrorOf } from '../../support/reading.js';
import { bounced, file, line, recordLine, stock } from '../../support/traceText.js';

const POOL =
  '[    0.100000] software IO TLB: mapped [mem 0x00000000bda00000-0x00000000bdc00000] (2MB)';
const RESTRICTED = [
  '[    0.000000] Reserved memory: created restricted DMA pool at 0x0000000050000000, size 4 MiB',
  '[    0.000000] OF: reserved mem: initialized node rdma@50000000, compatible id restricted-dma-pool',
];

/** A stock event as tracefs prints it. */
function dma(event: string, text: string): string {
  return line(stock('dma', event, text));
}

/** A stock event as `trace-cmd report -R` prints it. */
function raw(event: string, text: string): string {
  return recordLine('trace-cmd -R', stock('dma', event, text));
}

const MAP = dma(
  'dma_map_page',
  'eth0 dir=TO_DEVICE dma_addr=bda00200 size=100 phys_addr=10200 attrs=',
);

function readBehindBoot(...lines: string[]): Promise<Reading> {
  return read(file(POOL, ...lines));
}

describe('a mapping', () => {
  test.each(['dma_map_page', 'dma_map_phys'])('of %s into the pool is a map', async (event) => {
    const { events, info } = await readBehindBoot(
      dma(
        event,
        'eth0 dir=FROM_DEVICE dma_addr=bda00800 size=4096 phys_addr=10ec80000 attrs=NO_WARN|MMIO',
      ),
    );
    expect(events).toMatchObject([
      {
        op: 'map',
        device: 'eth0',
        line: 2,
        origAddr: 0x10ec80000,
        size: 4096,
        dir: 'from_device',
        result: 0xbda00800,
      },
    ]);
    expect(info.problems.count).toBe(0);
  });

  test.each([
    ['below the pool', 'dma_addr=bd9fffff size=1 phys_addr=1'],
    ['behind the pool', 'dma_addr=bdc00000 size=1 phys_addr=1'],
    ['of memory inside the pool to itself', 'dma_addr=bda00000 size=1 phys_addr=bda00000'],
  ])('%s is none', async (_where, fields) => {
    const { events } = await readBehindBoot(
      MAP,
      dma('dma_map_page', `eth0 dir=TO_DEVICE ${fields} attrs=`),
    );
    expect(events).toHaveLength(1);
  });

  test('outside every known pool is counted, and the message says what to give', async () => {
    const message = await userErrorOf(() => read(file(MAP, MAP)));
    expect(message).toContain('none of its 2 dma mappings lies in a known pool');
    expect(message).toContain('--dmesg');
  });

  test('that fails behind a swiotlb_bounced found the pool full', async () => {
    const failed = dma(
      'dma_map_page',
      'eth0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=9 phys_addr=20000 attrs=',
    );
    const { events } = await readBehindBoot(MAP, line(bounced('eth0', 0x20000, 9)), failed, failed);
    // The second was not bounced: the device cannot reach the memory, whatever the pool.
    expect(events.slice(1)).toMatchObject([
      { line: 4, origAddr: 0x20000, size: 9, result: 'full' },
    ]);
  });

  test('that fails behind a list that was bounced did not find the pool full', async () => {
    const list =
      'eth0 dir=TO_DEVICE dma_addrs={0xbda00800} sizes={0x200} phys_addrs={0x30000} attrs=';
    const failed = 'eth0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=9 phys_addr=20000 attrs=';
    const { events } = await readBehindBoot(
      line(bounced('eth0', 0x30000, 0x200)),
      dma('dma_map_sg', list),
      dma('dma_map_page', failed),
    );
    expect(events).toHaveLength(1);
  });

  test('without a dma_addr is a problem, not a failure', async () => {
    const cut = dma('dma_map_page', 'eth0 dir=TO_DEVICE');
    const { events, info } = await readBehindBoot(MAP, line(bounced('eth0', 0x20000, 9)), cut);
    expect(events).toHaveLength(1);
    expect(info.problems.first).toMatchObject([
      { line: 4, message: expect.stringContaining('dma_addr') },
    ]);
  });

  test('without a size is a problem', async () => {
    const cut = dma('dma_map_page', 'eth0 dir=TO_DEVICE dma_addr=bda00200');
    const { events, info } = await readBehindBoot(MAP, cut);
    expect(events).toHaveLength(1);
    expect(info.problems).toMatchObject({ count: 1, first: [{ line: 3 }] });
  });

  test('in raw form has the direction that its number says', async () => {
    const { events, tally } = await readBehindBoot(
      raw('dma_map_phys', 'device=eth0 phys_addr=10200 dma_addr=bda00200 size=100 dir=2 attrs=0x0'),
      raw('dma_sync_single_for_cpu', 'device=eth0 dma_addr=bda00200 size=100 dir=2'),
      raw('dma_unmap_phys', 'device=eth0 addr=bda00200 size=100 dir=2 attrs=0x0'),
    );
    expect(tally.format).toBe('trace-cmd');
    const rest = { device: 'eth0', size: 100, dir: 'from_device', result: 0xbda00200 };
    expect(events).toMatchObject([
      { op: 'map', ...rest },
      { op: 'sync_for_cpu', ...rest },
      { op: 'unmap', ...rest },
    ]);
  });

  test('of a device with an endless name is one of an unreadable device', async () => {
    const { info } = await readBehindBoot(
      dma(
        'dma_map_page',
        `${'x'.repeat(5000)} dir=TO_DEVICE dma_addr=bda00200 size=100 phys_addr=200 attrs=`,
      ),
    );
    expect(info.devices.map(({ name }) => name)).toEqual(['(unreadable)']);
  });
});

describe('unmaps and syncs', () => {
  test('are those of addresses in the pool', async () => {
    const rest = 'eth0 dir=TO_DEVICE dma_addr=bda00200 size=100';
    const outside = 'eth0 dir=TO_DEVICE dma_addr=200 size=100';
    const { events } = await readBehindBoot(
      MAP,
      dma('dma_sync_single_for_device', rest),
      dma('dma_sync_single_for_cpu', outside),
      dma('dma_sync_single_for_cpu', rest),
      dma('dma_unmap_page', `${outside} attrs=`),
      dma('dma_unmap_page', `${rest} attrs=`),
      dma('dma_unmap_phys', `${rest} attrs=`),
    );
    expect(events.map(({ op, line: at }) => `${op}@${at}`)).toEqual([
      'map@2',
      'sync_for_device@3',
      'sync_for_cpu@5',
      'unmap@7',
      'unmap@8',
    ]);
  });

  test('of lists are one for each buffer', async () => {
    const { events, info } = await readBehindBoot(
      MAP,
      dma(
        'dma_sync_sg_for_cpu',
        'eth0 dir=FROM_DEVICE dma_addrs={0xbda00800,0x77} sizes={0x200,0x10}',
      ),
      dma('dma_sync_sg_for_device', 'eth0 dir=FROM_DEVICE dma_addrs={0xbda00800} sizes={0x200'),
    );
    expect(events.slice(1)).toMatchObject([
      { op: 'sync_for_cpu', size: 0x200, result: 0xbda00800 },
    ]);
    expect(info.problems.first).toMatchObject([{ line: 4 }]);
  });
});

describe('a list', () => {
  const LISTS =
    'dma_addrs={0xbda00800,0x5000,0xbda01000} sizes={0x200,0x300,0x400} phys_addrs={0x30000,0x5000,0x40000}';
  const MAPS = [
    { op: 'map', line: 2, device: 'sda', origAddr: 0x30000, size: 0x200, result: 0xbda00800 },
    { op: 'map', line: 2, device: 'sda', origAddr: 0x40000, size: 0x400, result: 0xbda01000 },
  ];
  const UNMAPS = [
    { op: 'unmap', line: 3, device: 'sda', size: 0x400, result: 0xbda01000 },
    { op: 'unmap', line: 3, device: 'sda', size: 0x200, result: 0xbda00800 },
  ];

  test('is as many maps as it has bounced buffers; its unmap tells only where they were', async () => {
    const unmap = 'sda dir=FROM_DEVICE phys_addrs={0x40000,0x5000,0x30000} attrs=';
    const { events, info } = await readBehindBoot(
      dma('dma_map_sg', `sda dir=FROM_DEVICE ${LISTS} attrs=NO_WARN`),
      dma('dma_unmap_sg', unmap),
      dma('dma_unmap_sg', unmap),
    );
    expect(events).toMatchObject([...MAPS, ...UNMAPS]);
    expect(info.problems.count).toBe(0);
  });

  test('of another device is not unmapped with it', async () => {
    const { events } = await readBehindBoot(
      dma('dma_map_sg', `sda dir=FROM_DEVICE ${LISTS} attrs=`),
      dma('dma_unmap_sg', 'sdb dir=FROM_DEVICE phys_addrs={0x40000} attrs='),
    );
    expect(events).toHaveLength(2);
  });

  test('is read from bytes where trace-cmd cannot print it', async () => {
    const list =
      '[FAILED TO PARSE] device=sda full_nents=2 full_ents=2 truncated=0' +
      ' phys_addrs=ARRAY[00, 00, 03, 00, 00, 00, 00, 00, 00, 00, 04, 00, 01, 00, 00, 00]' +
      ' dma_addrs=ARRAY[00, 08, a0, bd, 00, 00, 00, 00, 00, 10, a0, bd, 00, 00, 00, 00]' +
      ' lengths=ARRAY[00, 02, 00, 00, 00, 04, 00, 00] dir=2 attrs=0x0';
    const unmap =
      '[FAILED TO PARSE] device=sda addrs=ARRAY[00, 00, 04, 00, 01, 00, 00, 00] dir=2 attrs=0x0';
    const { events } = await readBehindBoot(
      recordLine('trace-cmd', stock('dma', 'dma_map_sg', list)),
      recordLine('trace-cmd', stock('dma', 'dma_unmap_sg', unmap)),
    );
    expect(events).toMatchObject([
      { ...MAPS[0], dir: 'from_device' },
      { ...MAPS[1], origAddr: 0x100040000 },
      { op: 'unmap', size: 0x400, result: 0xbda01000, dir: 'from_device' },
    ]);
  });

  test.each([
    ['nents=1/200 ents=1/200 [TRUNCATED]', dma],
    ['full_nents=200 full_ents=200 truncated=1', raw],
  ])('that was not printed whole is a loss: %s', async (mark, print) => {
    const { info } = await readBehindBoot(
      print('dma_map_sg', `device=sda dir=FROM_DEVICE ${mark} ${LISTS}`),
    );
    expect(info.losses).toMatchObject([
      { line: 2, events: 1, message: expect.stringContaining('whole') },
    ]);
  });

  test.each([
    LISTS.slice(0, -1),
    LISTS.replace('}', ''),
    LISTS.replace('0x200', '0xg'),
    LISTS.replace('dma_addrs', 'addrs'),
    LISTS.replace('0x30000', '0x30000000000000000'),
  ])('that cannot be read is a problem: %s', async (lists) => {
    const { info, events } = await readBehindBoot(
      MAP,
      dma('dma_map_sg', `sda dir=TO_DEVICE ${lists}`),
    );
    expect(events).toHaveLength(1);
    expect(info.problems).toMatchObject({ count: 1, first: [{ line: 3 }] });
  });

  test('with fewer sizes than addresses is a problem', async () => {
    const { info, events } = await readBehindBoot(
      dma(
        'dma_map_sg',
        'sda dir=TO_DEVICE dma_addrs={0xbda00800,0xbda01000} sizes={0x10} phys_addrs={0x1,0x2} attrs=',
      ),
    );
    expect(events).toHaveLength(1);
    expect(info.problems.count).toBe(1);
  });

  test('that failed is no map, though the kernel calls its original addresses dma_addrs', async () => {
    const failed = dma('dma_map_sg_err', 'sda dir=TO_DEVICE dma_addrs={0xbda00000} err=-5 attrs=');
    const { info, events } = await readBehindBoot(MAP, failed);
    expect(events).toHaveLength(1);
    expect(info.losses).toEqual([]);
  });

  test('that failed when some of it had been bounced is a loss', async () => {
    const failed = dma('dma_map_sg_err', 'sda dir=TO_DEVICE dma_addrs={0x30000} err=-5 attrs=');
    const { info } = await readBehindBoot(MAP, line(bounced('sda', 0x30000, 9)), failed);
    expect(info.losses).toMatchObject([{ line: 4, events: undefined }]);
  });
});

describe('coherent memory', () => {
  const at = (event: string, address: string, size = 6726) =>
    dma(
      event,
      `eth0 dir=BIDIRECTIONAL dma_addr=${address} size=${size} virt_addr=000000006cadbcb1 attrs=`,
    );

  test.each([
    ['dma_alloc', 'dma_free'],
    ['dma_alloc_pages', 'dma_free_pages'],
    ['dma_alloc_sgt', 'dma_free_sgt'],
  ])('of %s in a restricted pool is whole pages of it', async (alloc, free) => {
    const { events, info } = await read(
      file(POOL, ...RESTRICTED, at(alloc, '50038000'), at(free, '50038000')),
    );
    expect(events).toMatchObject([
      { op: 'alloc', device: 'eth0', size: 8192, result: 0x50038000 },
      { op: 'free', result: 0x50038000 },
    ]);
    expect(info.devices).toMatchObject([{ name: 'eth0', pool: 'rdma@50000000' }]);
  });

  test('of v6.12.0 has no direction', async () => {
    const text =
      'eth0 dma_addr=50038000 size=4096 virt_addr=000000006cadbcb1 flags=GFP_KERNEL attrs=';
    const { events } = await read(file(POOL, ...RESTRICTED, dma('dma_alloc', text)));
    expect(events).toMatchObject([{ op: 'alloc', size: 4096 }]);
  });

  test('in the default pool is none of its own, and a failed one neither', async () => {
    const { events } = await read(
      file(
        POOL,
        ...RESTRICTED,
        at('dma_alloc', 'bda00000'),
        at('dma_alloc', '0'),
        at('dma_alloc_sgt_err', '0'),
        MAP,
      ),
    );
    expect(events).toMatchObject([{ op: 'map' }]);
  });

  test('comes in the pages that the log tells', async () => {
    const banner = '[    0.000000] Linux version 6.12.107+deb13-arm64-16k (x) #1 SMP';
    const { events } = await read(file(banner, ...RESTRICTED, at('dma_alloc', '50038000')));
    expect(events).toMatchObject([{ size: 16384 }]);
  });
});

describe('min_align_mask', () => {
  const map = (phys: string, address: string, device = 'nvme') =>
    dma(
      'dma_map_page',
      `${device} dir=TO_DEVICE dma_addr=${address} size=64 phys_addr=${phys} attrs=`,
    );

  async function maskOf(...lines: string[]) {
    const { info } = await readBehindBoot(...lines);
    return info.devices.map(({ minAlignMask }) => minAlignMask);
  }

  test('is the low bits that every map keeps', async () => {
    expect(await maskOf(map('10a00', 'bda00a00'), map('20600', 'bda01600'))).toEqual([0xfff]);
    expect(await maskOf(map('10a00', 'bda00a00'), map('20c40', 'bda02440'))).toEqual([0x7ff]);
  });

  test('is none where the low bits are lost', async () => {
    expect(await maskOf(map('10a08', 'bda00800'), map('20600', 'bda01000'))).toEqual([0]);
  });

  test('is none where no original address has low bits', async () => {
    expect(await maskOf(map('10000', 'bda00000'), map('20000', 'bda01800'))).toEqual([0]);
  });

  test('is told of each device, as an assumption', async () => {
    const { info } = await readBehindBoot(
      map('10a00', 'bda00a00'),
      map('10a00', 'bda01000', 'eth0'),
    );
    expect(info.devices).toMatchObject([{ minAlignMask: 0xfff }, { minAlignMask: 0 }]);
    expect(info.assumptions.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^device nvme: min_align_mask 0x/),
      expect.stringMatching(/^device eth0: min_align_mask 0x/),
    ]);
  });
});
