import { ADDRESS_LIMIT, hex, isSegBoundary, MAX_NSLABS, parseMask } from '../events/numbers.js';
import type { PoolDeclaration, TraceInfo } from '../events/trace.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import { type LineFields, numberOf, textOfField } from './bpftraceFields.js';

/** Declares devices and their pools. */
export interface BpftraceDevices {
  /** @returns what is wrong with the line, or undefined */
  see(line: number, device: number, fields: LineFields): string | undefined;
}

/** Name of the pool that every device uses that has none of its own. */
const DEFAULT_POOL = 'default';

/** Fills `info.pools` and the masks in `info.devices` from lines that begin with `device`. */
export function createBpftraceDevices(info: TraceInfo): BpftraceDevices {
  const seen = new Set<number>();
  const told = new Set<number>();

  /** Undefined for a device without a pool. */
  function poolOf(fields: LineFields): PoolDeclaration | string | undefined {
    const base = numberOf(fields, 'base');
    const nslabs = numberOf(fields, 'nslabs');
    const areas = numberOf(fields, 'areas');
    if (base === 0 && nslabs === 0) return undefined;
    const known = info.pools.find((pool) => pool.base === base);
    if (known !== undefined) return known;
    if (!(base < ADDRESS_LIMIT && base % IO_TLB_SIZE === 0)) {
      return 'base is not a multiple of 2048 below 2^52';
    }
    if (!(nslabs > 0 && nslabs <= MAX_NSLABS)) return `nslabs is not 1 to ${MAX_NSLABS}`;
    if (!(Number.isInteger(Math.log2(areas)) && areas >= 1 && areas <= nslabs)) {
      return 'areas is not a power of two of at most nslabs';
    }
    const restricted = numberOf(fields, 'restricted') === 1;
    const pool: PoolDeclaration = {
      name: restricted ? `restricted@${hex(base)}` : DEFAULT_POOL,
      base,
      nslabs,
      areas,
      startIndexes: [],
      // It was recorded on a machine that had run for a while.
      indexKnowledge: 'unknown',
      restricted,
    };
    if (info.pools.some(({ name }) => name === pool.name)) {
      return `pool ${pool.name} lies elsewhere, as lines before said`;
    }
    info.pools.push(pool);
    return pool;
  }

  return {
    see(line, device, fields) {
      const masks = {
        minAlignMask: parseMask(textOfField(fields, 'min_align_mask')),
        segBoundaryMask: parseMask(textOfField(fields, 'seg_boundary_mask')),
        dmaMask: parseMask(textOfField(fields, 'dma_mask')),
      };
      // A device that says nothing has a boundary of 4 GiB (dma_get_seg_boundary()).
      if (masks.segBoundaryMask === 0) masks.segBoundaryMask = 0xffff_ffff;
      if (!(masks.minAlignMask < 2 ** 32)) return 'min_align_mask is not a 32-bit mask';
      if (!isSegBoundary(masks.segBoundaryMask)) {
        return 'seg_boundary_mask is not a power of two less one, from 0x7ff up';
      }
      if (Number.isNaN(masks.dmaMask)) return 'dma_mask is not a mask';
      const pool = poolOf(fields);
      if (typeof pool === 'string') return pool;
      const declared = info.devices[device];
      if (seen.has(device) && !told.has(device)) {
        told.add(device);
        info.assumptions.push({
          line,
          message: `device ${declared.name}: its masks or its pool change in the trace; the replay uses one value`,
        });
      }
      seen.add(device);
      Object.assign(declared, masks);
      if (pool?.restricted) declared.pool = pool.name;
      return undefined;
    },
  };
}
