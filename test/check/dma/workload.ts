import fc from 'fast-check';
import type { DeviceAddress } from '../../../src/dma/device.js';
import { addressAfter } from '../../../src/dma/device.js';
import type { DmaRow } from '../../../src/events/iommu.js';
import type { Mapping } from '../../../src/replay/dmaIommu/player.js';
import type { DmaSession } from '../../../src/replay/dmaIommu/session.js';

/** One thing that a driver or its device does; which mapping it is about is told when it is done. */
export const step = fc.record({
  device: fc.nat({ max: 2 }),
  op: fc.constantFrom(
    'map_page',
    'map_page',
    'map_sg',
    'alloc',
    'sync_cpu',
    'sync_dev',
    'dev_read',
    'dev_write',
    'cpu_write',
    'unmap',
    'unmap',
    'unmap',
  ),
  dir: fc.nat({ max: 2 }),
  offset: fc.oneof(fc.constant(0), fc.nat({ max: 4095 })),
  size: fc.oneof(
    fc.integer({ min: 1, max: 3000 }),
    fc.integer({ min: 1, max: 40_000 }),
    fc.constant(8192),
  ),
  entries: fc.integer({ min: 1, max: 4 }),
  which: fc.nat(),
  from: fc.nat(),
});

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const EMPTY: Omit<DmaRow, 'line' | 'time' | 'device' | 'op' | 'id'> = {
  cpu: 0,
  phys: [],
  size: Number.NaN,
  dir: 0,
  attrs: 0,
  dma: [],
  failed: false,
  result: '',
  granules: 0,
  slots: 0,
  leaked: 0,
  toBounce: { copies: 0, bytes: 0 },
  fromBounce: { copies: 0, bytes: 0 },
  arch: [],
  warn: 0,
  crc: Number.NaN,
};

/** Buffers of a mapping's own, in 24 MiB of memory below the pool that go round. */
function buffersOf({ offset, size, entries, op }: Step, n: number): DmaRow['phys'] {
  const count = op === 'map_sg' ? entries : 1;
  return Array.from({ length: count }, (_, i) => ({
    phys: 0x40000000 + ((n * 4 + i) % 256) * 0x10000 + offset,
    length: 1 + ((size * (i + 1)) % 40_000),
  }));
}

function field({ pfn, offset }: DeviceAddress): DmaRow['dma'][number] {
  return { page: pfn, low: offset, length: Number.NaN };
}

const ENDS = { map_page: 'unmap_page', map_sg: 'unmap_sg', alloc: 'free' } as const;

/** The row that a step is when it comes to it, by a driver that makes no mistake; granules are of 4 KiB. */
export function rowOf(session: DmaSession, one: Step, n: number): DmaRow | undefined {
  const base = { ...EMPTY, line: n + 1, time: n, device: one.device, id: n, dir: one.dir };
  if (one.op === 'map_page' || one.op === 'map_sg' || one.op === 'alloc') {
    const buffers = buffersOf(one, n);
    if (one.op === 'map_sg') return { ...base, op: one.op, phys: buffers, size: buffers.length };
    if (one.op === 'alloc') return { ...base, op: one.op, size: one.size, dir: 0 };
    return { ...base, op: one.op, phys: buffers, size: buffers[0].length };
  }
  const live = [...session.player.live];
  if (live.length === 0) return undefined;
  const [id, mapping] = live[one.which % live.length];
  return useOf({ ...base, device: mapping.device, id, dir: mapping.dir }, mapping, one);
}

function useOf(base: Omit<DmaRow, 'op'>, mapping: Mapping, one: Step): DmaRow | undefined {
  const { op: made, address, segments, size, attrs } = mapping;
  const [first] = segments;
  const segment = first ?? { address: address as DeviceAddress, length: size };
  if (one.op === 'unmap') {
    const op = ENDS[made as keyof typeof ENDS];
    const dma = op === 'unmap_sg' ? [] : [field(segment.address)];
    return { ...base, op, size, attrs, dma, dir: op === 'free' ? 0 : mapping.dir };
  }
  const into = one.from % segment.length;
  const at = field(addressAfter(segment.address, into, 4096));
  const length = 1 + (one.size % (segment.length - into));
  if (one.op === 'dev_read' || one.op === 'dev_write') {
    return { ...base, op: one.op, dma: [at], size: length, dir: 0 };
  }
  if (made === 'alloc' || one.op === 'cpu_write') return undefined;
  const who = one.op === 'sync_cpu' ? 'cpu' : 'dev';
  if (made === 'map_sg') return { ...base, op: `sync_sg_${who}`, size };
  return { ...base, op: `sync_single_${who}`, dma: [at], size: length };
}

/** Ends what is left, as a driver does when it goes. */
export function endOf(session: DmaSession, n: number): DmaRow | undefined {
  const unmap = { op: 'unmap', which: 0, device: 0, dir: 0 } as unknown as Step;
  return rowOf(session, unmap, n);
}
