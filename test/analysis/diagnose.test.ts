import { describe, expect, test } from 'vitest';
import { createDiagnoser, type DiagnoseOptions } from '../../src/analysis/diagnose.js';
import type { Diagnosis } from '../../src/analysis/diagnosis.js';
import { judge, mappingLimit } from '../../src/analysis/refusalVerdict.js';
import type { LogFact } from '../../src/events/logFacts.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import type { Release } from '../../src/kernel/release.js';
import { findRelease } from '../../src/kernel/select.js';

function releaseNamed(name: string): Release {
  const release = findRelease(name);
  if (release === undefined) throw new Error(`no release ${name}`);
  return release;
}

const KIB = 1024;

describe('a refusal', () => {
  const ruled = (
    size: number,
    total?: number,
    used?: number,
    mask?: number,
    kernel?: string,
  ): [string, boolean] => {
    const release = kernel === undefined ? undefined : releaseNamed(kernel);
    const { verdict, proved } = judge({ size, total, used }, release, mask);
    return [verdict, proved];
  };

  test.each([
    [
      'above 256 KiB is too large whatever the pool',
      [256 * KIB + 1, 32768, 0],
      ['too-large', true],
    ],
    ['above 256 KiB is too large without totals', [512 * KIB], ['too-large', true]],
    ['of 256 KiB is not too large', [256 * KIB, 512, 353], ['not-full', false]],
    ['without a pool has none, however large', [512 * KIB, 0, 0], ['no-pool', true]],
    ['up to 256 KiB without totals proves nothing', [4096], ['unknown', false]],
    ['with 80 % used is not full', [4096, 1000, 800], ['not-full', false]],
    ['with more used is full', [4096, 1000, 801], ['full', false]],
    ['for which too few slots are free is proved to be full', [4097, 1000, 998], ['full', true]],
    ['for which just enough are free is not', [4096, 1000, 998], ['full', false]],
    // 4096 slots are 32 segments, in each of which 2 requests of 64 slots have a place of their own.
    [
      'for which a run must be free was not refused for room',
      [128 * KIB, 4096, 63],
      ['not-full', true],
    ],
    ['for which none need be free may have been', [128 * KIB, 4096, 64], ['not-full', false]],
  ] as const)('%s', (_, [size, total, used], expected) => {
    expect(ruled(size, total, used)).toEqual(expected);
  });

  test.each([
    ['above what a mask leaves is too large', [253 * KIB, 512, 100, 0xfff], ['too-large', false]],
    [
      'is proved so where a run must have been free',
      [253 * KIB, 32768, 128, 0xfff],
      ['too-large', true],
    ],
    ['at what a mask leaves is not', [252 * KIB, 512, 100, 0xfff], ['not-full', false]],
    [
      'is not too large for v5.10, which knows no masks',
      [256 * KIB, 512, 100, 0xfff, 'v5.10'],
      ['not-full', false],
    ],
    [
      'is too large for v5.12, which does not say so to drivers',
      [256 * KIB, 512, 100, 0xfff, 'v5.12'],
      ['too-large', false],
    ],
  ] as const)('%s', (_, [size, total, used, mask, kernel], expected) => {
    expect(ruled(size, total, used, mask, kernel)).toEqual(expected);
  });

  test('never comes with the advice to raise swiotlb= unless the pool is full', () => {
    const advice = (size: number, total?: number, used?: number) =>
      judge({ size, total, used }, undefined, undefined).advice;
    expect(advice(4096, 4096, 4096)).toContain('swiotlb=8192');
    expect(advice(4096, 2 ** 20, 2 ** 20)).toContain('a larger swiotlb=');
    for (const text of [advice(2 ** 20, 4096, 0), advice(4096, 4096, 0)]) {
      expect(text).toMatch(/^Do not (raise|expect)/);
    }
  });

  test('is limited as swiotlb_max_mapping_size() says where that knows masks', () => {
    for (const mask of [0, 0x1ff, 0xfff, 0xffff]) {
      expect(mappingLimit(releaseNamed('v6.1'), mask)).toBe(
        releaseNamed('v6.1').maxMappingSize(mask),
      );
    }
  });
});

/** A fact, of which diagnose() gives the line. */
const at = (fact: object, time?: number): LogFact => ({ line: 0, time, ...fact }) as LogFact;
const refusal = (differing: object = {}, time?: number): LogFact =>
  at(
    {
      kind: 'refusal',
      message: 'full',
      device: 'a',
      size: 4096,
      total: 512,
      used: 500,
      ...differing,
    },
    time,
  );
const booted = (version: string, time?: number): LogFact =>
  at({ kind: 'boot', banner: `Linux version ${version} (a@b) (gcc 12) #1 SMP` }, time);
const suppressed = (count: number, time?: number, name = 'swiotlb_tbl_map_single'): LogFact =>
  at({ kind: 'suppressed', function: name, count }, time);

/** Diagnoses facts of which each stands in a line of its own. */
function diagnose(
  facts: LogFact[],
  info: Partial<TraceInfo> = {},
  options: DiagnoseOptions = { devices: [] },
): Diagnosis {
  const diagnoser = createDiagnoser(options);
  facts.forEach((fact, n) => {
    diagnoser.see({ ...fact, line: n + 1 });
  });
  return diagnoser.finish('x.log', 99, { ...emptyTraceInfo(), ...info });
}

describe('refusals', () => {
  test('fold where device, size, total and verdict are equal', () => {
    const { reports, groups, totals } = diagnose([
      refusal({ used: 490 }),
      refusal({ used: 505 }),
      refusal({ device: 'b' }),
      refusal({ size: 8192 }),
      refusal({ used: 100 }),
    ]);
    expect(reports.map((report) => report.line)).toEqual([1, 2, 3, 4, 5]);
    expect(groups).toMatchObject([
      {
        device: 'a',
        size: 4096,
        verdict: 'full',
        count: 2,
        usedLeast: 490,
        usedMost: 505,
        firstLine: 1,
        lastLine: 2,
      },
      { device: 'b', count: 1 },
      { size: 8192, count: 1 },
      { verdict: 'not-full', count: 1 },
    ]);
    expect(totals).toEqual({ reports: 5, omitted: 0, suppressed: 0, unlisted: 0 });
  });

  test('are kept one by one only as far as memory allows, and all counted', () => {
    const facts = Array.from({ length: 12_000 }, (_, n) => refusal({ device: `d${n % 6000}` }));
    const { reports, groups, totals } = diagnose(facts);
    expect(reports).toHaveLength(10_000);
    expect(groups).toHaveLength(4096);
    expect(totals).toMatchObject({ reports: 12_000, omitted: 2000, unlisted: 2 * (6000 - 4096) });
  });

  test('are one where an old kernel says them twice', () => {
    const old = { total: undefined, used: undefined, size: 512 };
    const { reports } = diagnose([
      refusal(old),
      refusal({ ...old, message: 'out-of-space' }),
      refusal({ ...old, message: 'out-of-space', device: 'b' }),
      refusal({ ...old, message: 'out-of-space', device: 'b' }),
      refusal(old),
      refusal({ ...old, message: 'coherent', size: 1024 }),
    ]);
    expect(reports.map((report) => report.line)).toEqual([1, 3, 4, 5, 6]);
  });

  test('that were suppressed are counted with the one before', () => {
    const { reports, groups, totals } = diagnose([
      suppressed(1, 1),
      refusal({}, 2),
      suppressed(74, 3),
      suppressed(900, 3, 'net_ratelimit'),
      refusal({ device: 'b' }, 4),
    ]);
    expect(reports.map((report) => report.suppressed)).toEqual([75, 0]);
    expect(groups.map((group) => group.suppressed)).toEqual([75, 0]);
    expect(totals.suppressed).toBe(75);
  });

  test('that were suppressed are counted with the one after in a log that runs backwards', () => {
    const { reports } = diagnose([
      refusal({ device: 'b' }, 9),
      refusal({ device: 'b' }, 8),
      suppressed(74, 7),
      refusal({}, 6),
    ]);
    expect(reports.map((report) => report.suppressed)).toEqual([0, 0, 74]);
  });

  test('with ever more slots used are likely a leak, and otherwise not', () => {
    const reasonFor = (...used: number[]) =>
      diagnose(used.map((slots) => refusal({ used: slots }))).groups[0].reason;
    expect(reasonFor(500, 505, 505)).toContain('likely a leak');
    expect(reasonFor(500, 505, 501)).not.toContain('leak');
  });

  test('take the mask that the user tells, for the devices that it is for', () => {
    const devices = [{ matches: (name: string) => name === 'b', minAlignMask: 0xfff }];
    const large = { size: 256 * KIB, used: 10 };
    const { groups } = diagnose(
      [refusal(large), refusal({ ...large, device: 'b' })],
      {},
      { devices },
    );
    expect(groups.map((group) => group.verdict)).toEqual(['not-full', 'too-large']);
  });
});

describe('the kernel', () => {
  const named = at({ kind: 'kernel', name: '6.5.3 #1 Debian' });

  test('is the one that booted, or else the one that a warning names, or the user', () => {
    expect(diagnose([booted('6.6.30'), named]).kernel).toBe('v6.6.30');
    expect(diagnose([named]).kernel).toBe('v6.5.3');
    const kernel = { release: releaseNamed('v6.9'), reason: undefined };
    expect(diagnose([named], {}, { devices: [], kernel }).kernel).toBe('v6.9');
    expect(diagnose([])).toMatchObject({
      kernel: undefined,
      kernelReason: 'the log does not name it; --kernel does',
    });
  });

  test('is named as it names itself where it is none that is known', () => {
    const { kernel, kernelReason } = diagnose([at({ kind: 'kernel', name: '4.9.110-1 #3' })]);
    expect(kernel).toBe('4.9.110-1 #3');
    expect(kernelReason).toContain('v5.10 is the oldest');
  });

  test('is named by its version where its banner is that of none that is known', () => {
    expect(diagnose([booted('5.14.0-427.el9.x86_64')]).kernel).toBe('5.14.0-427.el9.x86_64');
  });

  test('of each boot in a log is its own', () => {
    const { kernel, groups, problems } = diagnose([
      refusal({ used: 100 }, 9),
      booted('6.4.1', 1),
      refusal({ used: 100 }, 2),
      booted('6.12.1', 1),
      refusal({ used: 100 }, 2),
      refusal({ used: 100 }, 3),
    ]);
    expect(kernel).toBe('v6.12.1');
    expect(groups.map((group) => [group.kernel, group.count])).toEqual([
      [undefined, 1],
      ['v6.4.1', 1],
      ['v6.12.1', 2],
    ]);
    expect(problems).toMatchObject([{ id: 'page-bits-compared', line: 3, count: 1 }]);
  });

  test('of each boot is its own in a log that runs backwards, too', () => {
    const { kernel, groups } = diagnose([
      refusal({}, 9),
      refusal({}, 8),
      booted('6.12.1', 7),
      refusal({}, 6),
      booted('6.4.1', 5),
      refusal({}, 4),
    ]);
    expect(kernel).toBe('v6.12.1');
    expect(groups.map((group) => [group.kernel, group.count])).toEqual([
      ['v6.12.1', 2],
      ['v6.4.1', 1],
      ['v6.4.1', 1],
    ]);
  });

  const idsOn = (version: string, facts: LogFact[], info: Partial<TraceInfo> = {}) =>
    diagnose([...facts, booted(version)], info).problems.map(({ id }) => id);
  const restricted = {
    name: 'r',
    base: 0x1000000,
    nslabs: 512,
    areas: 1,
    startIndexes: [],
    indexKnowledge: 'unknown' as const,
    restricted: true,
  };

  test.each([
    ['6.2.9', []],
    ['6.3.1', ['double-allocation']],
    ['6.6.23', ['double-allocation']],
    ['6.6.24', []],
    ['6.7.11', ['double-allocation']],
    ['6.7.12', []],
    ['6.8.2', ['double-allocation']],
    ['6.8.3', []],
    ['6.9.1', []],
  ])('%s with a restricted pool: %j', (version, ids) => {
    expect(idsOn(version, [], { pools: [restricted] })).toEqual(ids);
    expect(idsOn(version, [], { pools: [{ ...restricted, restricted: false }] })).toEqual([]);
  });

  test.each([
    ['5.12.3', 256 * KIB, ['max-mapping-size']],
    ['5.12.3', 252 * KIB, []],
    ['5.19.3', 256 * KIB, []],
    ['5.10.7', 256 * KIB, []],
    ['5.10.100', 256 * KIB, ['max-mapping-size']],
    ['5.10.147', 256 * KIB, []],
    ['6.4.1', 4096, ['page-bits-compared']],
    ['6.4.1', 2048, []],
    ['6.9.1', 4096, []],
  ])('%s that refuses %i bytes with room left: %j', (version, size, ids) => {
    expect(idsOn(version, [refusal({ size, used: 100 }), refusal({ size, used: 90 })])).toEqual(
      ids,
    );
    expect(idsOn(version, [refusal({ size, used: 512 })])).toEqual([]);
  });
});

describe('other problems', () => {
  const fault = (differing: object = {}): LogFact =>
    at({
      kind: 'iommu-fault',
      unit: 'AMD-Vi',
      device: 'a',
      address: 0x5010n,
      access: 'write',
      reason: 'r',
      ...differing,
    });
  const mapping = (op: 'map' | 'unmap', iova: bigint, size = 0x1000n): LogFact =>
    at({ kind: 'iommu-map', op, iova, size, physAddr: op === 'map' ? 0x9000n : undefined });
  const messageOf = (...facts: LogFact[]) => diagnose(facts).problems.at(-1)?.message;

  test.each([
    [
      { kind: 'overflow', bounced: true, address: 1n, size: 1, mask: 1n },
      'bounce-out-of-reach',
      undefined,
    ],
    [
      { kind: 'overflow', bounced: false, address: 1n, size: 1, mask: 1n },
      'address-out-of-reach',
      undefined,
    ],
    [{ kind: 'pool-trouble', trouble: 'no-memory', text: 't' }, 'pool-setup', undefined],
    [
      { kind: 'pool-trouble', trouble: 'unaligned-pages', text: 't' },
      'unaligned-pages',
      'cbf53074a528',
    ],
    [{ kind: 'sync', text: 't' }, 'sync-beyond-mapping', undefined],
    [{ kind: 'bounce-inactive', text: 't' }, 'bounce-inactive', undefined],
    [{ kind: 'dma-debug', complaint: 'size', text: 't' }, 'dma-debug-size', undefined],
    [{ kind: 'cma', trouble: 'overlap', text: 't' }, 'cma-overlap-check', 'f875db4f20f4'],
    [{ kind: 'cma', trouble: 'allocation', text: 't' }, 'cma-allocation', undefined],
    [{ kind: 'lockdep', lock: 'free_entries_lock' }, 'dma-debug-lock', 'fb5a4315591d'],
    [
      { kind: 'debugfs', name: 'io_tlb_used', value: 2n ** 64n - 1n },
      'used-counter',
      'a1255ccab8ec',
    ],
  ])('from %o: %s', (fact, id, fixedBy) => {
    const [problem, ...more] = diagnose([at(fact), at(fact)]).problems;
    expect(problem).toMatchObject({ id, line: 1, count: 2, fixedBy });
    expect(problem.advice).not.toBe('');
    expect(more).toEqual([]);
  });

  test('are none where a counter reads as it should', () => {
    expect(diagnose([at({ kind: 'debugfs', name: 'io_tlb_used', value: 400n })]).problems).toEqual(
      [],
    );
  });

  test('of one device fold with their addresses, and their suppressed ones', () => {
    const { problems } = diagnose([
      fault(),
      fault({ address: 0x9000n }),
      at({ kind: 'suppressed', function: 'amd_iommu_report_page_fault', count: 7 }),
      fault({ device: 'b' }),
      fault({ access: 'read' }),
    ]);
    expect(problems).toMatchObject([
      { device: 'a', count: 2, suppressed: 7 },
      { device: 'b', count: 1 },
      { device: 'a', count: 1 },
    ]);
    expect(problems[0].message).toBe(
      'AMD-Vi refused a write of 0x5010: r; addresses from 0x5010 to 0x9000',
    );
  });

  test('tell of a fault what last covered its address', () => {
    expect(messageOf(fault())).not.toContain('mapp');
    expect(messageOf(mapping('map', 0x6000n), fault())).toContain(
      'no mapping in the log covers it',
    );
    expect(messageOf(mapping('map', 0x5000n), mapping('map', 0x6000n), fault())).toContain(
      'last mapped in line 1: 0x5000-0x5fff to physical 0x9000, and not unmapped since',
    );
    expect(messageOf(mapping('map', 0x5000n), mapping('unmap', 0x5000n), fault())).toContain(
      'and unmapped in line 2: used after unmap',
    );
    expect(messageOf(mapping('unmap', 0x5000n), mapping('map', 0x4000n, 0x2000n), fault())).toMatch(
      /last mapped in line 2: 0x4000-0x5fff .*, and not unmapped since$/,
    );
    expect(messageOf(mapping('unmap', 0x5000n), fault())).toContain(
      'its mapping is not in the log',
    );
  });

  test('remember mappings only as far as memory allows', () => {
    const many = Array.from({ length: 1 << 16 }, (_, n) =>
      mapping('map', BigInt(n + 16) * 0x1000n),
    );
    expect(messageOf(mapping('map', 0x5000n), ...many.slice(1), fault())).toContain('last mapped');
    expect(messageOf(mapping('map', 0x5000n), ...many, fault())).toContain('no mapping');
  });

  test('tell of a fault at an address inside a pool which slot that is', () => {
    const pools = [
      {
        name: 'p',
        base: 0x4000,
        nslabs: 8,
        areas: 1,
        startIndexes: [],
        indexKnowledge: 'unknown' as const,
        restricted: false,
      },
    ];
    expect(diagnose([fault()], { pools }).problems[0].message).toContain('slot 2 of pool p');
  });

  test('are told apart only as far as memory allows', () => {
    const facts = Array.from({ length: 1500 }, (_, n) => fault({ device: `d${n}` }));
    const { problems, totals } = diagnose(facts);
    expect(problems).toHaveLength(1024);
    expect(totals.unlisted).toBe(1500 - 1024);
  });
});
