import fc from 'fast-check';

/** A device of a generated trace. */
export interface GeneratedDevice {
  minAlignMask: number;
  /** Infinity for none. */
  segBoundaryMask: number;
}

/** A map, an alloc, or the release of one of those before it. */
export interface GeneratedStep {
  op: 'map' | 'alloc' | 'release';
  device: number;
  cpu: number;
  origAddr: number;
  size: number;
  /** How much alloc_size adds to the size. */
  more: number;
  allocAlignMask: number;
  /** release: which one of those not yet released. */
  which: number;
}

/** A trace in the making. */
export interface Scenario {
  base: number;
  nslabs: number;
  areas: number;
  indexes: number[];
  devices: GeneratedDevice[];
  steps: GeneratedStep[];
}

/** What of a scenario a trace shall hold. */
export interface TraceShape {
  /** Without: an alloc becomes a map. */
  allocs: boolean;
  /** Whether all that is left is released at the end. */
  releaseAll: boolean;
}

export const RELEASE_NAMES = ['v6.8', 'v6.8+will-v1', 'v6.9', 'v6.12'] as const;

const masks = fc.constantFrom(0, 0, 0x1ff, 0x7ff, 0xfff, 0x3fff, 0xffff);

const sizes = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 8192 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 10 }).map((pages) => pages * 4096) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 130 }).map((slots) => slots * 2048) },
);

const step: fc.Arbitrary<GeneratedStep> = fc.record({
  op: fc.constantFrom('map', 'map', 'map', 'map', 'alloc', 'release', 'release'),
  device: fc.nat({ max: 2 }),
  cpu: fc.nat({ max: 3 }),
  origAddr: fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 127 }).map((n) => 0x100000 + n * 2048) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 0x3ffff }).map((n) => 0x100000 + n) },
  ),
  size: sizes,
  more: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 100, 4096, -1),
  allocAlignMask: masks,
  which: fc.nat({ max: 1000 }),
});

/** Small pools, so that requests fail; few masks, so that they fail in every way. */
export const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    // 16 is far less than a segment, 130 ends in the middle of one, 512 has whole ones per area.
    nslabs: fc.oneof(
      fc.constantFrom(16, 64, 128, 130, 256, 512),
      fc.integer({ min: 16, max: 512 }),
    ),
    areas: fc.constantFrom(1, 2, 4),
    // In the middle of nowhere, or around 4 GiB, where the usual boundary lies.
    base: fc.oneof(
      fc.nat({ max: 255 }).map((n) => 0x8000_0000 + n * 2048),
      fc.nat({ max: 255 }).map((n) => 0xfff8_0000 + n * 2048),
    ),
    indexes: fc.array(fc.nat({ max: 511 }), { minLength: 4, maxLength: 4 }),
    devices: fc.array(
      fc.record({
        minAlignMask: masks,
        segBoundaryMask: fc.constantFrom(
          Number.POSITIVE_INFINITY,
          0xffff_ffff,
          0xffff_ffff,
          0x3_ffff,
          0xffff,
          0x7fff,
          0x3fff,
        ),
      }),
      { minLength: 3, maxLength: 3 },
    ),
    steps: fc.array(step, { minLength: 1, maxLength: 60 }),
  })
  .map((scenario) => ({
    ...scenario,
    // Nothing is there to be released before a first request, and a trace needs an event.
    steps: scenario.steps.map((one, n) =>
      n === 0 && one.op === 'release' ? { ...one, op: 'map' as const } : one,
    ),
    indexes: scenario.indexes
      .slice(0, scenario.areas)
      .map((index) => index % Math.floor(scenario.nslabs / scenario.areas)),
  }));

const hex = (value: number): string => `0x${value.toString(16)}`;

/**
 * A scenario as a canonical trace. Nobody knows yet what the model will answer, so results are
 * recorded at made-up addresses a megabyte apart, and released at those.
 */
export function traceOf(scenario: Scenario, { allocs, releaseAll }: TraceShape): string {
  const lines = [
    '#kernel page_size=4096',
    `#pool name=default base=${hex(scenario.base)} nslabs=${scenario.nslabs}` +
      ` areas=${scenario.areas} index=${scenario.indexes.join(':')}`,
    ...scenario.devices.map(
      ({ minAlignMask, segBoundaryMask }, n) =>
        `#device name=dev${n} min_align_mask=${hex(minAlignMask)} seg_boundary_mask=` +
        (Number.isFinite(segBoundaryMask) ? hex(segBoundaryMask) : '0xffffffffffffffff'),
    ),
    'dev,op,cpu,orig_addr,size,alloc_size,alloc_align_mask,tlb_addr',
  ];
  const live: string[] = [];
  let next = 2 ** 50;
  for (const { op, device, cpu, origAddr, size, more, allocAlignMask, which } of scenario.steps) {
    if (op === 'release') {
      lines.push(...live.splice(which % Math.max(1, live.length), 1));
      continue;
    }
    const address = hex(next);
    next += 2 ** 20;
    if (op === 'alloc' && allocs) {
      const pages = Math.ceil(size / 4096) * 4096;
      lines.push(`dev${device},alloc,${cpu},,${pages},,,${address}`);
      live.push(`dev${device},free,${cpu},,${pages},,,${address}`);
    } else {
      const allocSize = Math.max(1, size + more);
      lines.push(
        `dev${device},map,${cpu},${hex(origAddr)},${size},${allocSize},${hex(allocAlignMask)},${address}`,
      );
      live.push(`dev${device},unmap,${cpu},,${size},,,${address}`);
    }
  }
  if (releaseAll) lines.push(...live);
  return lines.join('\n');
}
