import { UserError } from '../events/errors.js';
import { ADDRESS_LIMIT, isSegBoundary, MAX_NSLABS } from '../events/numbers.js';
import type { TraceFormat } from '../formats/format.js';
import { FORMATS } from '../formats/table.js';
import { PAGE_SIZES } from '../kernel/constants.js';
import type { ReplaySettings } from '../pipeline/replaying.js';
import { parseBootParameter } from '../replay/bootPool.js';
import { type DeviceOverride, globMatcher, type PoolOverride } from '../replay/geometry.js';
import type { DeviceOptions, MachineOptions, PoolOptions } from './options.js';

function check(holds: boolean, name: string, value: unknown, words: string): void {
  if (!holds) throw new UserError(`${name} is ${String(value)}, which is not ${words}`);
}

function isBelow(value: unknown, limit: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit;
}

function checkPool(pool: PoolOptions): PoolOverride {
  const { base = 0, nslabs = 1, areas = 1, index = [] } = pool;
  const isAddress = isBelow(base, ADDRESS_LIMIT) && base % 2048 === 0;
  check(isAddress, 'base', base, 'a multiple of 2048 below 2^52');
  check(isBelow(nslabs - 1, MAX_NSLABS), 'nslabs', nslabs, `a number from 1 to ${MAX_NSLABS}`);
  const isPower = isBelow(areas, 4097) && Number.isInteger(Math.log2(areas));
  check(isPower, 'areas', areas, 'a power of two up to 4096');
  for (const start of index) check(isBelow(start, MAX_NSLABS), 'index', start, 'a slot');
  return { ...pool };
}

function checkDevice({ name, ...values }: DeviceOptions): DeviceOverride {
  check(typeof name === 'string', 'the name of a device', name, 'a text');
  const { minAlignMask = 0, segBoundaryMask = 0x7ff, dmaMask = 0 } = values;
  check(isBelow(minAlignMask, 2 ** 32), 'minAlignMask', minAlignMask, 'a mask of 32 bits');
  const words = 'a power of two less one, from 0x7ff up';
  check(isSegBoundary(segBoundaryMask), 'segBoundaryMask', segBoundaryMask, words);
  check(dmaMask >= 0, 'dmaMask', dmaMask, 'a mask');
  return { matches: globMatcher(name), ...values };
}

/** The format of that name. */
export function formatNamed(name: string | undefined): TraceFormat | undefined {
  if (name === undefined) return undefined;
  const format = FORMATS.find((each) => each.name === name);
  check(
    format !== undefined,
    'format',
    name,
    `one of ${FORMATS.map((each) => each.name).join(', ')}`,
  );
  return format;
}

/**
 * Options as the pipeline takes them.
 * @throws UserError for values that no machine has
 */
export function settingsOf(options: MachineOptions): ReplaySettings {
  const { format, pageSize, pools = [], devices = [], swiotlb } = options;
  if (pageSize !== undefined) {
    check(PAGE_SIZES.includes(pageSize), 'pageSize', pageSize, `one of ${PAGE_SIZES.join(', ')}`);
  }
  const inputFormat = formatNamed(format);
  return {
    pool: pools.map(checkPool),
    device: devices.map(checkDevice),
    ...(pageSize !== undefined && { pageSize }),
    ...(swiotlb !== undefined && { swiotlb: parseBootParameter(swiotlb) }),
    ...(inputFormat && { inputFormat }),
  };
}
