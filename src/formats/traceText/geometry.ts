import { hex, isSegBoundary } from '../../events/numbers.js';
import type {
  DeviceDeclaration,
  PoolDeclaration,
  PoolPlace,
  TraceInfo,
} from '../../events/trace.js';
import { IO_TLB_SIZE } from '../../kernel/constants.js';
import { Field } from './fields.js';
import { canBePool, canHaveAreas } from './usable.js';

/** Name of the pool that the kernel sets up at boot. */
const DEFAULT_POOL = 'default';

/** Pools and devices, as the fields of probes tell them. */
export interface Geometry {
  /** Later records tell nothing new about the default pool. */
  isSettled: boolean;
  /** The default pool, from `base=` and `nslabs=`. */
  seeDefaultPool(line: number, values: Float64Array): void;
  /** The default pool's start indexes, from the first record that shows them all. */
  seeStartIndexes(values: Float64Array): void;
  /** The start index of an area, from the first record that shows it. */
  seeStartIndex(base: number, area: number, index: number): void;
  /** A restricted pool, from the device that allocates from it. */
  seeRestrictedPool(line: number, device: number, base: number, nslabs: number): void;
  /** Whether a pool with that base is declared. */
  knows(base: number): boolean;
  /** The pool in which an address lies: a declared one, or one that the user knows of. */
  poolAt(address: number): PoolPlace | undefined;
  /** Whether any pool is known. */
  hasPools(): boolean;
  /** Masks of a device. */
  seeDevice(line: number, device: number, values: Float64Array): void;
}

const MASKS = [
  ['minAlignMask', Field.min_align, 'min_align_mask'],
  ['segBoundaryMask', Field.seg_mask, 'seg_boundary_mask'],
  ['dmaMask', Field.dma_mask, 'dma_mask'],
] as const;

/** Where so many records of the pool show no start index, none will. */
const UNTOLD_AFTER = 4;

/** The start index of each area that a record shows; NaN for the others. */
function indexesFrom(values: Float64Array): number[] {
  return [0, 1, 2, 3].map((area) => values[Field.idx0 + 2 * area]);
}

function liesIn({ base, nslabs }: PoolPlace, address: number): boolean {
  return address >= base && address < base + nslabs * IO_TLB_SIZE;
}

/**
 * Declares pools and devices in `info`, next to what a boot log may have declared.
 * @param others pools that the user knows of
 */
export function createGeometry(info: TraceInfo, others: readonly PoolPlace[]): Geometry {
  const indexSeen = new Set<number>();
  let firstIndexes: number[] | undefined;
  const changing = new Set<DeviceDeclaration>();
  /** The masks that records last gave, device by device. */
  const maskOf: number[] = [];
  let sightings = 0;

  /** As the probe says, or the boot log, or else as many as the probe shows indexes of: up to four. */
  function areasFrom(values: Float64Array, nslabs: number): number {
    const told = values[Field.nareas] >= 1 ? values[Field.nareas] : info.bootAreas;
    if (told !== undefined && canHaveAreas(told, nslabs)) return told;
    const indexes = firstIndexes ?? indexesFrom(values);
    let areas = 1;
    if (indexes[1] >= 0) areas = 2;
    if (indexes[3] >= 0) areas = 4;
    return canHaveAreas(areas, nslabs) ? areas : 1;
  }

  function declare(pool: Partial<PoolDeclaration> & { name: string }, line: number): void {
    info.pools.push({
      base: 0,
      nslabs: 0,
      areas: 1,
      startIndexes: [],
      indexKnowledge: 'default',
      restricted: false,
      ...pool,
    });
    info.assumptions.push({
      line,
      message: `pool ${pool.name}: base ${hex(pool.base ?? 0)}, ${pool.nslabs} slots, from the probes' fields`,
    });
  }

  function setMask(
    line: number,
    device: DeviceDeclaration,
    [key, , name]: (typeof MASKS)[number],
    value: number,
  ): void {
    if (key === 'segBoundaryMask' && !isSegBoundary(value)) return;
    if (key === 'minAlignMask' && !(value >= 0 && value < 2 ** 32)) return;
    if (key === 'dmaMask' && !(value >= 0)) return;
    if (device[key] !== undefined && device[key] !== value && !changing.has(device)) {
      changing.add(device);
      info.assumptions.push({
        line,
        message: `device ${device.name}: ${name} changes in the trace; the replay uses one value`,
      });
    }
    device[key] = value;
  }

  function see(base: number, area: number, index: number): void {
    const pool = info.pools.find((candidate) => candidate.base === base);
    if (pool === undefined || !(index >= 0) || !(area >= 0 && area < pool.areas)) return;
    const key = base + area;
    if (indexSeen.has(key)) return;
    indexSeen.add(key);
    while (pool.startIndexes.length < area) pool.startIndexes.push(0);
    pool.startIndexes[area] = index;
  }

  /** The pool may be known later than its indexes, which a search has moved by then. */
  function takeFirstIndexes(): void {
    const pool = info.pools.find(({ restricted }) => !restricted);
    if (pool === undefined || indexSeen.has(pool.base)) return;
    firstIndexes?.forEach((index, area) => {
      see(pool.base, area, index);
    });
  }

  const geometry: Geometry = {
    isSettled: false,

    seeDefaultPool(line, values) {
      const base = values[Field.base];
      // Where the records tell the base alone, debugfs or the boot log may have told the size.
      const told = info.pools.find((pool) => pool.base === base)?.nslabs ?? info.defaultNslabs;
      const nslabs = values[Field.nslabs] || told || 0;
      if (!canBePool(base, nslabs)) return;
      const known = info.pools.find(({ restricted }) => !restricted);
      geometry.isSettled = firstIndexes !== undefined || ++sightings > UNTOLD_AFTER;
      if (known === undefined) {
        declare({ name: DEFAULT_POOL, base, nslabs, areas: areasFrom(values, nslabs) }, line);
        takeFirstIndexes();
        return;
      }
      if (known.base === base && known.nslabs === nslabs) return;
      info.assumptions.push({
        line,
        message:
          `pool ${known.name}: base ${hex(base)} and ${nslabs} slots, as the trace says;` +
          ` the boot log says ${hex(known.base)} and ${known.nslabs}`,
      });
      known.base = base;
      known.nslabs = nslabs;
    },

    seeStartIndexes(values) {
      firstIndexes ??= indexesFrom(values);
      takeFirstIndexes();
    },

    seeStartIndex: see,

    seeRestrictedPool(line, device, base, nslabs) {
      if (!canBePool(base, nslabs)) return;
      let pool = info.pools.find((candidate) => candidate.base === base);
      if (pool === undefined) {
        const name = `restricted${info.pools.length}`;
        declare({ name, base, nslabs, restricted: true }, line);
        pool = info.pools[info.pools.length - 1];
      }
      if (pool.restricted) info.devices[device].pool ??= pool.name;
    },

    knows: (base) => info.pools.some((pool) => pool.base === base),

    poolAt: (address) =>
      info.pools.find((pool) => liesIn(pool, address)) ??
      others.find((pool) => liesIn(pool, address)),

    hasPools: () => info.pools.length + others.length > 0,

    seeDevice(line, device, values) {
      for (let mask = 0; mask < MASKS.length; mask++) {
        const value = values[MASKS[mask][1]];
        const place = device * MASKS.length + mask;
        if (value === maskOf[place] || Number.isNaN(value)) continue;
        maskOf[place] = value;
        setMask(line, info.devices[device], MASKS[mask], value);
      }
    },
  };
  return geometry;
}
