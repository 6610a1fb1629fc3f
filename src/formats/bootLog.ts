import { createDeviceNames, type DeviceNames, deviceNumberOf } from '../events/names.js';
import { ADDRESS_LIMIT, hex, MAX_NSLABS } from '../events/numbers.js';
import {
  type Assumption,
  logProblem,
  type PoolDeclaration,
  shorten,
  type TraceInfo,
} from '../events/trace.js';
import { IO_TLB_SIZE, PAGE_SIZES } from '../kernel/constants.js';

/** Reads what a kernel says about itself, its pools and its devices while it boots. */
export interface BootLog {
  /**
   * Looks at one record of a kernel log, without time and other prefixes.
   * @returns whether it told something
   */
  read(text: string, line: number): boolean;
}

/** What of the log belongs to the boot that is being read. */
interface BootState {
  info: TraceInfo;
  names: DeviceNames;
  /** Line of the last banner. */
  banner: number | undefined;
  boots: number;
  /** Set once there is more than one boot. */
  assumption: Assumption | undefined;
  /** Pools that this log declared; those of an earlier boot until the next declares one. */
  pools: PoolDeclaration[];
  /** The pools are of an earlier boot. */
  stale: boolean;
  /** The last restricted pool, while it has no name. */
  unnamed: PoolDeclaration | undefined;
}

/** One kind of line: `literal` is looked for first, since most lines are nobody's. */
interface Reader {
  literal: string;
  pattern: RegExp;
  /** Returns false if the line turns out to say nothing. */
  take(state: BootState, match: RegExpExecArray, line: number): boolean;
}

/** Name of the pool that every device uses that has none of its own. */
const DEFAULT_POOL = 'default';

/** A kernel's banner is shorter; what is behind is not the kernel's. */
const MAX_BANNER = 512;

/** Hex as `%pa` and `%#010llx` print it: 10 or 18 characters on the machines at hand. */
const ADDRESS = '(0x[0-9a-f]{1,16})';

/* Samples of each, in the order of the table:
 * Linux version 6.12.107+deb13-arm64-16k (debian-kernel@...) (...) #1 SMP Debian 6.12.107-1 (2026-08-29)
 * BE PAGE_SIZE=4K MMU=Hash SMP NR_CPUS=2048 NUMA pSeries
 * Kernel command line: root=/dev/vda swiotlb=512,4,force
 * software IO TLB: area num 4.
 * software IO TLB: mapped [mem 0x00000000bda00000-0x00000000bdc00000] (2MB)
 * software IO TLB [mem 0xbbef0000-0xbfef0000] (64MB) mapped at [ffff8800bbef0000-ffff8800bfeeffff]
 * software IO TLB at phys 0x20000000 - 0x24000000
 * software IO TLB: Reserved memory: created restricted DMA pool at 0x0000000050000000, size 4 MiB
 * OF: reserved mem: initialized node rdma@50000000, compatible id restricted-dma-pool
 * OF: reserved mem: 0x0000000050000000..0x00000000503fffff (4096 KiB) map non-reusable rdma@50000000
 * nvme 0000:00:06.0: assigned reserved memory node rdma@50000000
 */
const READERS: readonly Reader[] = [
  { literal: 'Linux version ', pattern: /^Linux version (\d\S*)/, take: takeBanner },
  {
    literal: 'PAGE_SIZE=',
    pattern: /^[BL]E PAGE_SIZE=(\d{1,2})K\b/,
    take: ({ info }, [, kib]) => setPageSize(info, Number(kib) * 1024),
  },
  {
    literal: 'ommand line: ',
    pattern: /^(?:Kernel c|C)ommand line: (.*)/,
    take: takeCommandLine,
  },
  {
    literal: 'software IO TLB: area num ',
    pattern: /^software IO TLB: area num (\d{1,5})\./,
    take: takeAreas,
  },
  {
    literal: 'software IO TLB: mapped ',
    pattern: new RegExp(`^software IO TLB: mapped \\[mem ${ADDRESS}-${ADDRESS}\\]`),
    take: takeDefaultPool,
  },
  {
    literal: 'software IO TLB [mem ',
    pattern: new RegExp(`^software IO TLB \\[mem ${ADDRESS}-${ADDRESS}\\]`),
    take: takeDefaultPool,
  },
  {
    literal: 'software IO TLB at phys ',
    pattern: new RegExp(`^software IO TLB at phys ${ADDRESS} - ${ADDRESS}`),
    take: takeDefaultPool,
  },
  {
    literal: 'created restricted DMA pool at ',
    pattern: new RegExp(`created restricted DMA pool at ${ADDRESS}, size (\\d{1,9}) MiB`),
    take: takeRestrictedPool,
  },
  {
    literal: ', compatible id restricted-dma-pool',
    pattern: /initialized node (\S{1,256}), compatible id restricted-dma-pool/,
    take: (state, [, name]) => nameRestrictedPool(state, state.unnamed, name),
  },
  {
    literal: 'reserved mem: 0x',
    pattern: new RegExp(
      `reserved mem: ${ADDRESS}\\.\\.${ADDRESS} \\(\\d{1,12} KiB\\) \\S+ \\S+ (\\S{1,256})`,
    ),
    take: takeReservedRange,
  },
  {
    literal: ': assigned reserved memory node ',
    pattern: /(?:^| )(\S{1,256}): assigned reserved memory node (\S{1,256})/,
    take: takeAssignment,
  },
];

/** Every literal, for one search that spares nearly all lines the others. */
const ANY_LITERAL = new RegExp(
  READERS.map(({ literal }) => literal.replace(/[.[\]]/g, '\\$&')).join('|'),
);

/**
 * Fills a trace's declarations from a boot log: kernel, page size, pools and which device uses which.
 * Where the log holds several boots the last is believed, and the assumptions say so.
 * @param names the table through which a format adds devices; needed where one shares `info`
 */
export function createBootLog(
  info: TraceInfo,
  names: DeviceNames = createDeviceNames(info.devices),
): BootLog {
  const state: BootState = {
    info,
    names,
    banner: undefined,
    boots: 0,
    assumption: undefined,
    pools: [],
    stale: false,
    unnamed: undefined,
  };
  return {
    read(record, line) {
      if (!ANY_LITERAL.test(record)) return false;
      const text = record.trim();
      for (const { literal, pattern, take } of READERS) {
        if (!text.includes(literal)) continue;
        const match = pattern.exec(text);
        if (match !== null && take(state, match, line)) return true;
      }
      return false;
    },
  };
}

function takeBanner(state: BootState, match: RegExpExecArray, line: number): boolean {
  const { info } = state;
  beginBoot(state, line);
  info.kernel = shorten(match.input, MAX_BANNER);
  const pages = /[-+](4|16|64)k\b/.exec(match[1]);
  if (pages !== null) setPageSize(info, Number(pages[1]) * 1024);
  return true;
}

/** What the boot before said is forgotten, its pools only when this one declares its own. */
function beginBoot(state: BootState, line: number): void {
  const { info } = state;
  state.boots++;
  if (state.boots > 1) {
    info.pageSize = undefined;
    delete info.swiotlbParameter;
    delete info.bootAreas;
    dropPools(state);
    if (state.assumption === undefined) {
      state.assumption = { line, message: '' };
      info.assumptions.push(state.assumption);
    }
    state.assumption.line = line;
    state.assumption.message = `the log holds ${state.boots} boots; kernel and pools are those of the last`;
  } else {
    // Pools ahead of the first banner are of another boot, or of this one in a log that runs backwards.
    state.stale = state.pools.length > 0;
  }
  state.banner = line;
}

function dropPools(state: BootState): void {
  const { info, names, pools } = state;
  for (const device of names.devices) {
    if (pools.some(({ name }) => name === device.pool)) delete device.pool;
  }
  info.pools = info.pools.filter((pool) => !pools.includes(pool));
  state.pools = [];
  state.unnamed = undefined;
}

function setPageSize(info: TraceInfo, bytes: number): boolean {
  if (!PAGE_SIZES.includes(bytes)) return false;
  info.pageSize = bytes;
  return true;
}

/** The last `swiotlb=` counts, as it does for the kernel. */
function takeCommandLine({ info }: BootState, [, commandLine]: RegExpExecArray): boolean {
  const words = commandLine.split(' ').filter((word) => word.startsWith('swiotlb='));
  const last = words.at(-1);
  if (last === undefined) return false;
  info.swiotlbParameter = shorten(last.slice('swiotlb='.length), 64);
  return true;
}

function takeAreas(state: BootState, [, digits]: RegExpExecArray): boolean {
  const areas = Number(digits);
  if (!(areas > 0 && areas <= 4096 && Number.isInteger(Math.log2(areas)))) return false;
  state.info.bootAreas = areas;
  // On x86 the pool's line comes a second later than this one; in a log that runs backwards, before.
  const pool = state.pools.find(({ name }) => name === DEFAULT_POOL);
  if (pool !== undefined && !state.stale && areas <= pool.nslabs) pool.areas = areas;
  return true;
}

/** The end is exclusive, for once: the kernel prints where the pool ends, and not its last byte. */
function takeDefaultPool(state: BootState, match: RegExpExecArray, line: number): boolean {
  const base = Number(match[1]);
  const nslabs = (Number(match[2]) - base) / IO_TLB_SIZE;
  const areas = state.info.bootAreas ?? 1;
  return declare(state, match.input, line, { name: DEFAULT_POOL, base, nslabs, areas });
}

function takeRestrictedPool(state: BootState, match: RegExpExecArray, line: number): boolean {
  const base = Number(match[1]);
  const nslabs = (Number(match[2]) * 2 ** 20) / IO_TLB_SIZE;
  const name = `restricted${state.info.pools.length}`;
  if (declare(state, match.input, line, { name, base, nslabs, areas: 1 })) {
    state.unnamed = state.info.pools.at(-1);
  }
  return true;
}

/** Declares a pool in place of one of the same name, and of all pools of the boot before. */
function declare(
  state: BootState,
  text: string,
  line: number,
  found: Pick<PoolDeclaration, 'name' | 'base' | 'nslabs' | 'areas'>,
): boolean {
  const { info } = state;
  const { name, base, nslabs } = found;
  const isPool =
    base % IO_TLB_SIZE === 0 &&
    Number.isInteger(nslabs) &&
    nslabs > 0 &&
    nslabs <= MAX_NSLABS &&
    base + nslabs * IO_TLB_SIZE <= ADDRESS_LIMIT;
  if (!isPool) {
    logProblem(info.problems, line, `a pool has 1 to ${MAX_NSLABS} whole slots below 2^52`, text);
    return false;
  }
  if (state.stale) dropPools(state);
  state.stale = false;
  const known = state.pools.find((pool) => pool.name === name || pool.base === base);
  if (known?.base === base && known.nslabs === nslabs) return true;
  if (known !== undefined) {
    info.assumptions.push({
      line,
      message:
        `pool ${known.name}: at ${hex(base)}, as this line says and not one before it;` +
        ' is there a boot of which the log lacks the first line?',
    });
    state.pools = state.pools.filter((pool) => pool !== known);
    info.pools = info.pools.filter((pool) => pool !== known);
  }
  const pool: PoolDeclaration = {
    ...found,
    // The log tells how things stood at boot; a trace begins later.
    indexKnowledge: 'unknown',
    startIndexes: [],
    restricted: name !== DEFAULT_POOL,
  };
  pool.areas = Math.min(pool.areas, 2 ** Math.floor(Math.log2(nslabs)));
  state.pools.push(pool);
  info.pools.push(pool);
  return true;
}

function nameRestrictedPool(
  state: BootState,
  pool: PoolDeclaration | undefined,
  name: string,
): boolean {
  if (pool === undefined) return false;
  pool.name = name;
  if (state.unnamed === pool) state.unnamed = undefined;
  return true;
}

/** Of all reserved memory, that of a restricted pool; its size to the byte, which MiB are not. */
function takeReservedRange(state: BootState, match: RegExpExecArray): boolean {
  const [first, last] = [Number(match[1]), Number(match[2])];
  const pool = state.pools.find(({ restricted, base }) => restricted && base === first);
  if (pool === undefined) return false;
  const nslabs = Math.floor((last + 1 - first) / IO_TLB_SIZE);
  if (nslabs > 0 && nslabs <= MAX_NSLABS) pool.nslabs = nslabs;
  return nameRestrictedPool(state, pool, match[3]);
}

/** Other reserved memory is assigned in the same words: only restricted pools count. */
function takeAssignment(state: BootState, [, device, node]: RegExpExecArray): boolean {
  const pool = state.pools.find(({ restricted, name }) => restricted && name === node);
  if (pool === undefined) return false;
  state.names.devices[deviceNumberOf(state.names, device)].pool = pool.name;
  return true;
}
