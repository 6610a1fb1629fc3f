import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createDeviceNames, deviceNumberOf } from '../../src/events/names.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import { createBootLog } from '../../src/formats/bootLog.js';
import { placeRelease } from '../../src/kernel/select.js';

/* Lines in the shapes that kernels 3.x to 7.2 print, with names and numbers of our own. */

const BANNER =
  'Linux version 6.12.90+deb13-arm64-16k (b@d) (aarch64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0)' +
  ' #1 SMP Debian 6.12.90-2 (2026-03-04)';
const OLDER = 'Linux version 5.10.7 (b@d) (gcc 10.2) #1 SMP';

/** Reads records, which begin without a prefix; blanks at their ends do not matter. */
function boot(...records: string[]): { info: TraceInfo; told: boolean[] } {
  const info = emptyTraceInfo();
  const log = createBootLog(info);
  return { info, told: records.map((record, n) => log.read(record, n + 1)) };
}

function poolsOf(...records: string[]) {
  return boot(...records).info.pools.map(({ name, base, nslabs, areas, restricted }) => ({
    name,
    base,
    nslabs,
    areas,
    restricted,
  }));
}

const mapped = (base: number, end: number): string =>
  `software IO TLB: mapped [mem 0x${base.toString(16).padStart(16, '0')}-0x${end.toString(16).padStart(16, '0')}] (8MB)`;

describe('the banner', () => {
  test('is kept whole, so that the builder behind the name is known', () => {
    const { info, told } = boot('random: crng init done', ` ${BANNER} `);
    expect(told).toEqual([false, true]);
    expect(info.kernel).toBe(BANNER);
    expect(placeRelease(BANNER)?.release?.name).toBe('v6.12.90');
  });

  test.each([
    ['6.12.90+deb13-arm64-16k', 16384],
    ['6.12.0-55.el10.aarch64+64k', 65536],
    ['6.8.0-1011-nvidia-64k', 65536],
    ['6.1.0-rc3-16kernels', undefined],
    ['6.6.1', undefined],
  ])('tells the page size of %s', (version, pageSize) => {
    expect(boot(`Linux version ${version} (b@d)`).info.pageSize).toBe(pageSize);
  });

  test('is no banner in the middle of a sentence', () => {
    expect(boot('seen with Linux version 6.1.7 too').info.kernel).toBeUndefined();
  });
});

test('an oops tells the page size', () => {
  expect(boot('LE PAGE_SIZE=64K MMU=Radix SMP NR_CPUS=16').info.pageSize).toBe(65536);
  expect(boot('LE PAGE_SIZE=8K MMU=Radix').told).toEqual([false]);
});

test('the last swiotlb= of the command line is kept', () => {
  const line = 'Kernel command line: root=/dev/vda swiotlb=512 quiet swiotlb=1024,2,force';
  expect(boot(line).info.swiotlbParameter).toBe('1024,2,force');
  expect(boot('Command line: noswiotlb=3').told).toEqual([false]);
});

describe('the default pool', () => {
  const pool = { name: 'default', base: 0xbf400000, nslabs: 4096, restricted: false };

  test('ends where the kernel says, exclusively', () => {
    expect(poolsOf(mapped(0xbf400000, 0xbfc00000))).toEqual([{ ...pool, areas: 1 }]);
  });

  test.each([
    'software IO TLB: mapped [mem 0xbf400000-0xbfc00000] (8MB)',
    'software IO TLB [mem 0xbf400000-0xbfc00000] (8MB) mapped at [ffff8800bf400000-ffff8800bfbfffff]',
    'software IO TLB at phys 0xbf400000 - 0xbfc00000',
  ])('is read from %s', (line) => {
    expect(poolsOf(line)).toEqual([{ ...pool, areas: 1 }]);
  });

  test('has the areas of the line before, however far away, or of the line after it', () => {
    const areas = 'software IO TLB: area num 8.';
    const line = mapped(0xbf400000, 0xbfc00000);
    expect(poolsOf(areas, 'Zone ranges:', line)).toEqual([{ ...pool, areas: 8 }]);
    expect(poolsOf(line, areas)).toEqual([{ ...pool, areas: 8 }]);
    expect(boot(areas).info.bootAreas).toBe(8);
  });

  test.each([
    ['without a slot', mapped(0xbf400000, 0xbf400000)],
    ['that ends before it begins', mapped(0xbf400000, 0xbf300000)],
    ['above 32 GiB', mapped(0, 0x900000000)],
    ['off the slots', mapped(0xbf400400, 0xbfc00400)],
  ])('is not one %s', (_, line) => {
    const { info } = boot(line);
    expect(info.pools).toEqual([]);
    expect(info.problems.count).toBe(1);
  });
});

describe('restricted pools', () => {
  const created = (base: string, mib: number): string =>
    `software IO TLB: Reserved memory: created restricted DMA pool at ${base}, size ${mib} MiB`;
  const initialized =
    'OF: reserved mem: initialized node wifi_rdma, compatible id restricted-dma-pool';

  test('have the name of the node that follows', () => {
    expect(poolsOf(created('0x0000000060000000', 6), initialized)).toEqual([
      { name: 'wifi_rdma', base: 0x60000000, nslabs: 3072, areas: 1, restricted: true },
    ]);
  });

  test('have name and exact size of the range that begins where they do', () => {
    const range = (first: string, last: string, name: string): string =>
      `OF: reserved mem: ${first}..${last} (5 KiB) map non-reusable ${name}`;
    expect(
      poolsOf(
        created('0x0000000060000000', 6),
        created('0x0000000070000000', 1),
        range('0x0000000050000000', '0x0000000051ffffff', 'cma'),
        range('0x0000000060000000', '0x0000000060680fff', 'wifi@60000000'),
      ),
    ).toEqual([
      { name: 'wifi@60000000', base: 0x60000000, nslabs: 3330, areas: 1, restricted: true },
      { name: 'restricted1', base: 0x70000000, nslabs: 512, areas: 1, restricted: true },
    ]);
  });

  test('are those of the devices that are assigned to them', () => {
    const info = emptyTraceInfo();
    const names = createDeviceNames(info.devices);
    deviceNumberOf(names, 'sda');
    const log = createBootLog(info, names);
    for (const line of [
      created('0x60000000', 6),
      initialized,
      'ath11k 0001:01:00.0: assigned reserved memory node wifi_rdma',
      '1c00000.pcie: assigned reserved memory node wifi_rdma',
      'vpu 1d00000.vpu: assigned reserved memory node vpu_cma',
    ]) {
      log.read(line, 1);
    }
    expect(info.devices).toEqual([
      { name: 'sda' },
      { name: '0001:01:00.0', pool: 'wifi_rdma' },
      { name: '1c00000.pcie', pool: 'wifi_rdma' },
    ]);
    expect(deviceNumberOf(names, '1c00000.pcie')).toBe(2);
  });
});

describe('several boots in one log', () => {
  const first = [OLDER, 'Command line: swiotlb=9', mapped(0x10000000, 0x10800000)];

  test('leave the last, and say so', () => {
    const { info } = boot(...first, BANNER, mapped(0x20000000, 0x20800000));
    expect(info).toMatchObject({ kernel: BANNER, pageSize: 16384 });
    expect(info.swiotlbParameter).toBeUndefined();
    expect(info.pools.map(({ base }) => base)).toEqual([0x20000000]);
    expect(info.assumptions).toEqual([
      {
        line: 4,
        message: 'the log holds 2 boots; kernel and pools are those of the last',
      },
    ]);
  });

  test('leave the pools of the last, though the log begins in the middle of the first', () => {
    const created =
      'software IO TLB: Reserved memory: created restricted DMA pool at 0x6000000, size 4 MiB';
    const { info } = boot(
      created,
      mapped(0x10000000, 0x10800000),
      BANNER,
      mapped(0x20000000, 0x20800000),
    );
    expect(info.pools.map(({ base }) => base)).toEqual([0x20000000]);
    expect(info.assumptions).toEqual([]);
  });

  test('leave nothing of the first where the last is silent', () => {
    const { info } = boot(BANNER, ...first.slice(2), OLDER);
    expect(info).toMatchObject({ kernel: OLDER, pageSize: undefined, pools: [] });
  });

  test('are told by the pool too, where a banner is missing', () => {
    const { info } = boot(...first, mapped(0x20000000, 0x20800000));
    expect(info.pools.map(({ base }) => base)).toEqual([0x20000000]);
    expect(info.assumptions).toMatchObject([{ line: 4 }]);
  });

  test('are one where the log runs backwards', () => {
    const { info } = boot(...first.reverse());
    expect(info.pools.map(({ base }) => base)).toEqual([0x10000000]);
    expect(info.assumptions).toEqual([]);
  });
});

/** Logs of running kernels, where the environment names them. */
const ROOT = process.env.SWIOTLB_REAL ?? '';
const KERNELS: Record<string, string> = {
  '5.10': 'v5.10.262',
  '6.1': 'v6.1.192',
  '6.12': 'v6.12.107',
  '7.2': 'v7.2.13',
};
const real = existsSync(ROOT)
  ? readdirSync(ROOT).filter((run) => existsSync(join(ROOT, run, 'dmesg.txt')))
  : [];

describe.skipIf(real.length === 0)('logs of running kernels (SWIOTLB_REAL)', () => {
  test.each(real)('%s names its kernel and its pool', (run) => {
    const text = readFileSync(join(ROOT, run, 'dmesg.txt'), 'utf8');
    const { info } = boot(...text.split('\n').map((line) => line.replace(/^\[ *[\d.]+\] /, '')));
    expect(placeRelease(info.kernel ?? '')?.release?.name).toBe(KERNELS[run.split('-')[0]]);
    expect(info.problems.count).toBe(0);
    const slots = /^\/\S*\/io_tlb_nslabs (\d+)/m.exec(
      readFileSync(join(ROOT, run, 'debugfs-after.txt'), 'utf8'),
    );
    const pool = info.pools.find(({ name }) => name === 'default');
    if (pool !== undefined && slots !== null && !run.includes('dyn')) {
      expect(pool.nslabs).toBe(Number(slots[1]));
    }
  });
});
