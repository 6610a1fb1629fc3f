import { type Command, InvalidArgumentError, Option } from 'commander';
import { ADDRESS_LIMIT, isSegBoundary, MAX_NSLABS } from '../events/numbers.js';
import type { TraceFormat } from '../formats/format.js';
import { IOMMU_FORMATS, type IommuFormat } from '../formats/iommuRead.js';
import { FORMATS } from '../formats/table.js';
import { PAGE_SIZES } from '../kernel/constants.js';
import { type BootParameter, parseBootParameter } from '../replay/bootPool.js';
import { type DeviceOverride, globMatcher, type PoolOverride } from '../replay/geometry.js';
import type { IommuOverride } from '../replay/iommuOverrides.js';
import { DEFAULT_SEARCH, SEARCHERS } from '../swiotlb/searchers.js';
import { iommuOption } from './iommu/option.js';
import { flagOf, maskOf, numberBelow, readPairs, repeatable } from './pairs.js';

/** Options of every command that replays. */
export interface ReplayOptions {
  kernel?: string;
  pageSize?: number;
  pool: PoolOverride[];
  device: DeviceOverride[];
  swiotlb?: BootParameter;
  search?: string;
  dmesg?: string;
  inputFormat?: TraceFormat | IommuFormat;
  iommu: IommuOverride[];
  strict?: boolean;
}

/** Options of commands that print one result per trace. */
export interface OutputOptions {
  json?: boolean;
  file?: string;
}

/** Adds the options of commands that print one result per trace. */
export function addOutputOptions(command: Command): Command {
  return command
    .option('--json', 'one JSON object per trace and line')
    .option('-o, --file <file>', 'write the result to a file, complete or not at all');
}

/** Adds the options that replaying commands share. */
export function addReplayOptions(command: Command, withKernel = true): Command {
  if (withKernel) {
    command.option(
      '--kernel <release>',
      'whose allocator to run: a release that `kernels` lists, `recorded` (the one the trace names),\n' +
        '`latest`, or the path of a policy file, which is run (docs/policies.md). Default: recorded,\n' +
        'else the newest that gives every recorded address, else latest',
    );
  }
  return command
    .option('--page-size <bytes>', 'PAGE_SIZE: 4096, 16384 or 65536 (4K, 16K, 64K)', parsePageSize)
    .addOption(
      repeatable(
        '--pool <K=V,...>',
        'pool geometry: name= base= nslabs= areas= index= restricted=1',
        parsePool,
      ),
    )
    .option(
      '--swiotlb <parameter>',
      "the default pool as the kernel's boot parameter makes it: SLOTS[,AREAS][,force]; also\n" +
        'default[,AREAS], guest=MEMORY[,AREAS] (a confidential guest that is told nothing), and\n' +
        'halved=N at the end for memory that was short N times',
      parseSwiotlb,
    )
    .addOption(deviceOption())
    .addOption(iommuOption())
    .option(
      '--dmesg <file>',
      'the boot log beside the trace: kernel, pools and devices that the trace does not tell',
    )
    .addOption(
      new Option('--input-format <format>', 'skip detection').choices([
        ...FORMATS.map(({ name }) => name),
        ...IOMMU_FORMATS,
      ]),
    )
    .addOption(
      new Option('--search <searcher>', 'how to search; the results are the same')
        .choices(Object.keys(SEARCHERS))
        .default(DEFAULT_SEARCH),
    )
    .option('--strict', 'lines that cannot be understood are an error (exit 2)');
}

/** What one side of a comparison has for itself. */
export interface SideOptions {
  release: string | undefined;
  pool: PoolOverride[];
  swiotlb: BootParameter | undefined;
  search: string | undefined;
}

/** Options of a comparison's sides: `--old`, `--old-pool` and so on, as commander names them. */
export interface BothSidesOptions {
  old?: string;
  new?: string;
  oldPool: PoolOverride[];
  newPool: PoolOverride[];
  oldSwiotlb?: BootParameter;
  newSwiotlb?: BootParameter;
  oldSearch?: string;
  newSearch?: string;
}

/** Adds the options of one side of a comparison. */
export function addSideOptions(command: Command, side: 'old' | 'new', which: string): Command {
  return command
    .option(`--${side} <release>`, `the ${which} side's release, as for --kernel`)
    .addOption(
      repeatable(
        `--${side}-pool <K=V,...>`,
        `geometry that only the ${which} side has, as for --pool`,
        parsePool,
      ),
    )
    .option(`--${side}-swiotlb <parameter>`, 'the same for --swiotlb', parseSwiotlb)
    .addOption(
      new Option(`--${side}-search <searcher>`, 'the same for --search').choices(
        Object.keys(SEARCHERS),
      ),
    );
}

/** The options of one side. */
export function sideOf(options: BothSidesOptions, side: 'old' | 'new'): SideOptions {
  return side === 'old'
    ? {
        release: options.old,
        pool: options.oldPool,
        swiotlb: options.oldSwiotlb,
        search: options.oldSearch,
      }
    : {
        release: options.new,
        pool: options.newPool,
        swiotlb: options.newSwiotlb,
        search: options.newSearch,
      };
}

/** `--device` alone, for commands that do not replay. */
export function addDeviceOption(command: Command): Command {
  return command.addOption(deviceOption());
}

function deviceOption(): Option {
  return repeatable(
    '--device <GLOB:K=V,...>',
    'device parameters: min_align_mask= seg_boundary_mask= dma_mask= pool= untrusted=1',
    parseDevice,
  );
}

/** @throws InvalidArgumentError for what no kernel is built with */
export function parsePageSize(text: string): number {
  const kib = /^(\d+)k$/i.exec(text);
  const bytes = kib ? Number(kib[1]) * 1024 : Number(text);
  if (!PAGE_SIZES.includes(bytes)) {
    throw new InvalidArgumentError(`It is one of ${PAGE_SIZES.join(', ')}, or 4K, 16K, 64K.`);
  }
  return bytes;
}

function boundaryOf(text: string): number {
  const mask = maskOf(text);
  if (!isSegBoundary(mask)) {
    throw new InvalidArgumentError(`"${text}" is not a power of two less one, from 0x7ff up.`);
  }
  return mask;
}

function parsePool(text: string): PoolOverride {
  return readPairs<PoolOverride>(
    text,
    {
      name: (value, pool) => {
        pool.name = value;
      },
      base: (value, pool) => {
        pool.base = numberBelow(ADDRESS_LIMIT, value);
        if (pool.base % 2048 !== 0) {
          throw new InvalidArgumentError(`base=${value} is not a multiple of 2048.`);
        }
      },
      nslabs: (value, pool) => {
        pool.nslabs = numberBelow(MAX_NSLABS + 1, value);
        if (pool.nslabs === 0) throw new InvalidArgumentError('A pool has at least one slot.');
      },
      areas: (value, pool) => {
        pool.areas = numberBelow(4097, value);
        if (!Number.isInteger(Math.log2(pool.areas))) {
          throw new InvalidArgumentError(`areas=${value} is not a power of two.`);
        }
      },
      index: (value, pool) => {
        pool.index = value.split(':').map((index) => numberBelow(MAX_NSLABS, index));
      },
      restricted: (value, pool) => {
        pool.restricted = value === '1';
      },
    },
    {},
  );
}

export function parseSwiotlb(text: string): BootParameter {
  try {
    return parseBootParameter(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function parseDevice(text: string): DeviceOverride {
  // Device names hold colons themselves: the last one before the first KEY= ends the pattern.
  const colon = text.lastIndexOf(':', text.indexOf('='));
  if (colon <= 0) {
    throw new InvalidArgumentError('It is a device name or pattern, a colon, and KEY=VALUE pairs.');
  }
  return readPairs<DeviceOverride>(
    text.slice(colon + 1),
    {
      min_align_mask: (value, device) => {
        device.minAlignMask = numberBelow(2 ** 32, value);
      },
      seg_boundary_mask: (value, device) => {
        device.segBoundaryMask = boundaryOf(value);
      },
      dma_mask: (value, device) => {
        device.dmaMask = maskOf(value);
      },
      pool: (value, device) => {
        device.pool = value;
      },
      untrusted: (value, device) => {
        device.untrusted = flagOf('untrusted', value);
      },
    },
    { pattern: text.slice(0, colon), matches: globMatcher(text.slice(0, colon)) },
  );
}
