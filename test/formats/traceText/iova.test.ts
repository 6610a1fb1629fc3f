import { describe, expect, test } from 'vitest';
import { recognisesIovaText } from '../../../src/formats/traceText/iova.js';
import { allocFast, createIovaDomain, freeFast } from '../../../src/iommu/iovaDomain.js';
import { findIommuRelease } from '../../../src/kernel/iommuSelect.js';
import type { Whole } from '../../support/iommuVectors.js';
import { readIovaText } from '../../support/iommuVectors.js';
import { replayIova } from '../../support/iovaVectors.js';

/* Lines as the recorded runs 6.1-iommu-1 and 6.12-iommu-1 have them, with other numbers. */
const HEADER = ['# tracer: nop', '#', '# entries-in-buffer/entries-written: 9/9   #P:2'];
const POINTERS = ['0xff45bead01c02808', '0xff45bead01c02810'];
const SETUP = 'granule=4096 start_pfn=0x1 dma_32bit_pfn=0x100000 max32_alloc_size=0x100000';

/** Prints records, each a microsecond after the other, by default of one task on CPU 0. */
function printer(): { lines: string[]; say: (body: string, task?: string) => void } {
  const lines = [...HEADER];
  const say = (body: string, task = '     insmod-77      [000]'): void => {
    const time = (12.000001 + lines.length / 1e6).toFixed(6);
    lines.push(`${task} ..Z..    ${time}: ${body}`);
  };
  return { lines, say };
}

const alloc = (domain: number, size: number, limit = 0xfffff, flush = 0): string =>
  `iova_alloc: (alloc_iova_fast+0x5/0x280) iovad=${POINTERS[domain]} size=${size}` +
  ` limit_pfn=0x${limit.toString(16)} flush=${flush} ${SETUP}`;
const allocRet = (pfn: number): string =>
  `iova_alloc_ret: (alloc_iova_fast+0x207/0x280) pfn=0x${pfn.toString(16)}`;
const slow = (domain: number, size: number, limit = 0xfffff): string =>
  `iova_slow: (alloc_iova+0x5/0x270) iovad=${POINTERS[domain]} size=${size}` +
  ` limit_pfn=0x${limit.toString(16)} size_aligned=1`;
const slowRet = (pfn: number): string =>
  pfn === 0
    ? 'iova_slow_ret: (alloc_iova+0x191/0x270) iova=0x0 pfn_hi=(fault) pfn_lo=(fault)'
    : `iova_slow_ret: (alloc_iova+0x191/0x270) iova=0xff45bead77a86c40 pfn_hi=0x${pfn.toString(16)} pfn_lo=0x${pfn.toString(16)}`;
const free = (domain: number, pfn: number, size: number): string =>
  `iova_free: (free_iova_fast+0x5/0x1a0) iovad=${POINTERS[domain]} pfn=0x${pfn.toString(16)} size=${size}`;

type Reading = ReturnType<typeof readIovaText>;

const brief = ({ rows }: Pick<Reading, 'rows'>): string[] =>
  rows.map(
    ({ op, domain, id, size, flags, pfn, failed }) =>
      `${op} dom${domain} #${id} ${size} ${flags} ${failed ? 'fail' : `0x${pfn.toString(16)}`}`,
  );

function readSaid(...bodies: (string | [body: string, task: string])[]): Reading {
  const { lines, say } = printer();
  for (const said of bodies) typeof said === 'string' ? say(said) : say(...said);
  return readIovaText(lines);
}

const problemsOf = ({ problems }: Reading): string[] =>
  problems.first.map(({ line, message }) => `${line}: ${message}`);

describe('text with probes at the IOVA allocator', () => {
  test('gives rows that the allocator reproduces', () => {
    const release = findIommuRelease('v6.1.192');
    if (release === undefined) throw new Error('no release');
    const setup = {
      granule: 4096,
      startPfn: 1,
      lazy: false,
      pci: true,
      forcedac: false,
      apertureEnd: Number.POSITIVE_INFINITY,
      busDmaLimit: Number.POSITIVE_INFINITY,
      cpus: 2,
    };
    const domains = POINTERS.map(() => createIovaDomain(release.iova, setup));
    const { lines, say } = printer();
    const live: [domain: number, pfn: number, size: number][] = [];
    for (let turn = 0; turn < 400; turn++) {
      const domain = (turn * 7) % 3 === 0 ? 1 : 0;
      const cpu = (turn * 5) % 4 === 0 ? 1 : 0;
      const task = `     worker-${90 + cpu}     [00${cpu}]`;
      if (live.length > 20 || (turn % 3 === 2 && live.length > 0)) {
        const [[of, pfn, size]] = live.splice((turn * 11) % live.length, 1);
        say(free(of, pfn, size), task);
        freeFast(domains[of], cpu, pfn, size, 0);
      } else {
        const size = 1 + ((turn * turn) % 37);
        say(alloc(domain, size), task);
        const pfn = allocFast(domains[domain], cpu, size, 0xfffff, false);
        say(slow(domain, size), task);
        say(slowRet(pfn), task);
        say(allocRet(pfn), task);
        live.push([domain, pfn, size]);
      }
    }
    const trace = readIovaText(lines);
    expect(trace.problems.first).toEqual([]);
    expect(trace.rows).toHaveLength(400);
    const whole = trace as Whole<typeof trace, (typeof trace.rows)[number]>;
    expect(replayIova(whole, release)).toMatchObject({ compared: 400, differences: [] });
  });

  test('has an allocation where it returns and a free where it begins', () => {
    const trace = readSaid(
      alloc(0, 3),
      slow(0, 3),
      slowRet(0xffffc),
      allocRet(0xffffc),
      free(0, 0xffffc, 3),
    );
    expect(brief(trace)).toEqual([
      'alloc_fast dom0 #0 3 0 0xffffc',
      'free_fast dom0 #0 3 0 0xffffc',
    ]);
    expect(trace.rows.map(({ line, time, limit }) => [line, time, limit])).toEqual([
      [7, 12000.007, 0xfffff],
      [8, 12000.008, 0],
    ]);
  });

  test('has the call of an interrupt before the one that it interrupted', () => {
    const trace = readSaid(
      alloc(0, 1),
      alloc(1, 2, 0xfffff, 1),
      slow(1, 2),
      slowRet(0x80),
      allocRet(0x80),
      allocRet(0x90),
    );
    expect(brief(trace)).toEqual(['alloc_fast dom1 #0 2 1 0x80', 'alloc_fast dom0 #1 1 0 0x90']);
  });

  test('keeps tasks apart, and the idle tasks of CPUs', () => {
    const idle = (cpu: number): string => `     <idle>-0     [00${cpu}]`;
    const trace = readSaid(
      [alloc(0, 1), idle(0)],
      [alloc(0, 2), idle(1)],
      alloc(1, 3),
      [allocRet(0x10), idle(0)],
      [allocRet(0x20), idle(1)],
      allocRet(0x30),
    );
    expect(trace.rows.map(({ size, pfn, cpu }) => [size, pfn, cpu])).toEqual([
      [1, 0x10, 0],
      [2, 0x20, 1],
      [3, 0x30, 0],
    ]);
  });

  test('tells a failed call from one that gave an address', () => {
    const trace = readSaid(alloc(0, 4), allocRet(0), slow(0, 5), slowRet(0));
    expect(brief(trace)).toEqual(['alloc_fast dom0 #0 4 0 fail', 'alloc dom0 #1 5 1 fail']);
  });

  test('has a row for alloc_iova() of its own', () => {
    expect(brief(readSaid(alloc(0, 1), allocRet(9), slow(0, 5), slowRet(0x77)))).toEqual([
      'alloc_fast dom0 #0 1 0 0x9',
      'alloc dom0 #1 5 1 0x77',
    ]);
  });

  test('tells domains apart by pointers that differ in their last bits alone, and names devices', () => {
    const { domains } = readSaid(
      'dma_map: (iommu_dma_map_page+0x5/0x260) dev="0000:07:00.0" page=0xff offset=0x0 size=4096 dir=2 attrs=0x0',
      alloc(0, 1),
      allocRet(5),
      alloc(1, 1),
      allocRet(5),
    );
    expect(
      domains.map(({ name, devices, granule, startPfn }) => [name, devices, granule, startPfn]),
    ).toEqual([
      ['dom0', ['0000:07:00.0'], 4096, 1],
      ['dom1', [], 4096, 1],
    ]);
  });

  test('says what it takes for granted', () => {
    const { lines, say } = printer();
    say(alloc(0, 1).replace('max32_alloc_size=0x100000', 'max32_alloc_size=0x800'));
    const { assumptions, kernel } = readIovaText(lines);
    expect(kernel.assumesPageSize).toBe(true);
    const messages = assumptions.map(({ message }) => message);
    expect(messages).toEqual([
      expect.stringContaining('does not tell lazy'),
      expect.stringContaining('dom0 was in use before'),
    ]);
  });

  test('knows its kernel, pages and CPUs from what stands around the records', () => {
    const { lines, say } = printer();
    lines.unshift(
      '# capture: uname Linux box 6.12.107 #1 SMP aarch64 GNU/Linux',
      '# capture: page_size 16384',
    );
    say(alloc(0, 1));
    const { kernel, assumptions } = readIovaText(lines);
    expect(kernel).toMatchObject({ pageSize: 16384, assumesPageSize: false, cpus: 2 });
    expect(kernel.version).toContain('6.12.107');
    expect(assumptions).toHaveLength(1);
  });

  test('says what was lost', () => {
    const lines = ['# entries-in-buffer/entries-written: 9/20   #P:4', 'CPU:1 [LOST 4 EVENTS]'];
    const { assumptions } = readIovaText(lines);
    expect(assumptions.map(({ line, message }) => `${line}: ${message}`)).toEqual([
      expect.stringMatching(/^1: .*11 of 20 records were overwritten/),
      expect.stringMatching(/^2: .*lost records/),
    ]);
  });

  test('counts what cannot be used, line by line', () => {
    const many = Array.from({ length: 17 }, () => alloc(0, 1));
    expect(problemsOf(readSaid(free(0, 9, 1), allocRet(4)))).toEqual([
      '4: frees what the trace does not show to be allocated',
      '5: a call returns that was not seen to begin',
    ]);
    expect(problemsOf(readSaid(alloc(0, 1).replace('size=1', 'size=?')))).toEqual([
      '4: size or limit_pfn of the call cannot be read',
    ]);
    expect(problemsOf(readSaid(alloc(0, 1).replace('4096', '4097')))).toEqual([
      '4: granule 4097 is no granule of an IOMMU',
    ]);
    expect(problemsOf(readSaid(alloc(0, 1).replace('iovad=0x', 'iovad=0x00000000')))).toEqual([
      '4: iovad cannot be read',
    ]);
    expect(problemsOf(readSaid(...many))).toEqual([
      expect.stringContaining('earlier calls of this task were not seen to return'),
    ]);
  });

  test('stands lines of any length and content', () => {
    const long = `${alloc(0, 1)} ${'x'.repeat(1 << 20)}`;
    const trace = readSaid(
      long,
      allocRet(3),
      `iova_free: ${'\u001b[2J\u0000'.repeat(50)}`,
      '\ufffd',
    );
    expect(brief(trace)).toEqual(['alloc_fast dom0 #0 1 0 0x3']);
    expect(trace.problems.count).toBe(1);
  });
});

describe('it is recognised', () => {
  test('by a record of one of its probes', () => {
    const { lines, say } = printer();
    expect(recognisesIovaText(Buffer.from(lines.join('\n')))).toBe(false);
    say('other: iovad=0x1');
    expect(recognisesIovaText(Buffer.from(lines.join('\n')))).toBe(false);
    say(free(0, 1, 1));
    expect(recognisesIovaText(Buffer.from(lines.join('\n')))).toBe(true);
    expect(recognisesIovaText(Buffer.from('iova_free: iovad=0x1\n'))).toBe(false);
  });
});
