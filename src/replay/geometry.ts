import { UserError } from '../events/errors.js';
import type { DeviceDeclaration, PoolDeclaration, TraceInfo } from '../events/trace.js';

/** What the user says about a pool; what is undefined comes from the trace. */
export interface PoolOverride {
  /** Undefined: the trace's only pool, or its default pool. */
  name?: string;
  base?: number;
  nslabs?: number;
  areas?: number;
  index?: number[];
  restricted?: boolean;
}

/** What the user says about devices whose name matches. */
export interface DeviceOverride {
  /** As the user wrote it. */
  pattern?: string;
  matches: (name: string) => boolean;
  minAlignMask?: number;
  segBoundaryMask?: number;
  dmaMask?: number;
  pool?: string;
  /** Behind an IOMMU: what it maps is bounced where it shares a granule. */
  untrusted?: boolean;
}

/** Boundary of a device that says nothing: 4 GiB (dma_get_seg_boundary()). */
const DEFAULT_SEG_BOUNDARY = 0xffff_ffff;

/** Name of the pool that devices use when nothing else is said. */
const DEFAULT_POOL = 'default';

/** The pools of a trace with the user's word on top; pools that only the user names come last. */
export function resolvePools(
  info: TraceInfo,
  overrides: readonly PoolOverride[],
): PoolDeclaration[] {
  const pools = info.pools.map((pool) => ({ ...pool }));
  for (const override of overrides) {
    const name = override.name ?? defaultPool(pools)?.name ?? DEFAULT_POOL;
    let pool = pools.find((candidate) => candidate.name === name);
    if (pool === undefined) {
      pool = newPool(name, override);
      pools.push(pool);
    }
    if (override.base !== undefined) pool.base = override.base;
    if (override.nslabs !== undefined) pool.nslabs = override.nslabs;
    if (override.areas !== undefined) pool.areas = override.areas;
    if (override.restricted !== undefined) pool.restricted = override.restricted;
    if (override.index !== undefined) {
      pool.startIndexes = override.index;
      pool.indexKnowledge = 'given';
    }
    if (pool.areas > pool.nslabs) {
      throw new UserError(`pool ${name}: ${pool.areas} areas do not fit in ${pool.nslabs} slots`);
    }
  }
  return pools;
}

function newPool(name: string, override: PoolOverride): PoolDeclaration {
  const { base, nslabs } = override;
  if (base === undefined || nslabs === undefined) {
    throw new UserError(
      `pool ${name}: the trace does not declare it: give --pool name=${name},base=ADDRESS,nslabs=SLOTS`,
    );
  }
  return {
    name,
    base,
    nslabs,
    areas: 1,
    startIndexes: [],
    indexKnowledge: 'default',
    restricted: false,
  };
}

/** The pool of a device that names none. */
function defaultPool<T extends { name: string }>(pools: readonly T[]): T | undefined {
  return pools.find((pool) => pool.name === DEFAULT_POOL) ?? pools[0];
}

/** A device with every value filled in. */
export interface ResolvedDevice {
  name: string;
  minAlignMask: number;
  segBoundaryMask: number;
  dmaMask: number;
  pool: string;
}

/**
 * A device of a trace with the user's word on top.
 * @throws UserError if no pool is known for it
 */
export function resolveDevice(
  declared: DeviceDeclaration,
  pools: readonly { name: string }[],
  overrides: readonly DeviceOverride[],
): ResolvedDevice {
  const device: DeviceDeclaration = { ...declared };
  for (const { matches, ...values } of overrides) {
    if (matches(declared.name)) Object.assign(device, values);
  }
  const pool =
    device.pool === undefined ? defaultPool(pools) : pools.find(({ name }) => name === device.pool);
  if (pool === undefined) {
    throw new UserError(
      device.pool === undefined
        ? 'the trace does not say where the pool lies: give --pool base=ADDRESS,nslabs=SLOTS'
        : `device ${device.name} uses pool ${device.pool}, which the trace does not declare:` +
            ` give --pool name=${device.pool},base=ADDRESS,nslabs=SLOTS`,
    );
  }
  return {
    name: device.name,
    minAlignMask: device.minAlignMask ?? 0,
    segBoundaryMask: device.segBoundaryMask ?? DEFAULT_SEG_BOUNDARY,
    dmaMask: device.dmaMask ?? Number.POSITIVE_INFINITY,
    pool: pool.name,
  };
}

/** A test for names against a pattern in which `*` is any text and `?` any character. */
export function globMatcher(pattern: string): (name: string) => boolean {
  const [first, ...pieces] = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\?/g, '.')
    .split(/\*+/);
  const last = pieces.pop();
  // A piece is where it comes first, and is not looked for again: `*a*a*a*b` would else try all ways.
  const between = pieces.map((piece, n) => `(?=(.*?${piece}))\\${n + 1}`).join('');
  const source = last === undefined ? first : `${first}${between}.*${last}`;
  const expression = new RegExp(`^${source}$`, 's');
  return (name) => expression.test(name);
}
