import { fstatSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../events/errors.js';
import { MISCHIEF, type MischiefName, type MischiefRate } from '../generate/mischief.js';
import { type DeviceKind, SHAPES, type SizeMix } from '../generate/shapes.js';
import { createWorkload, type Workload } from '../generate/workload.js';
import { latestRelease } from '../kernel/select.js';
import type { BootParameter } from '../replay/bootPool.js';
import type { PoolGeometry } from '../swiotlb/pool.js';
import { DEFAULT_NSLABS, setUpAtBoot } from '../swiotlb/setup.js';
import { csvWriter } from '../writers/csv.js';
import { Exit } from './exit.js';
import { parsePageSize, parseSwiotlb } from './options.js';
import { type Output, openOutput } from './output.js';
import { repeatable } from './pairs.js';
import { type Progress, showProgress, type Work } from './progress.js';
import { requireRelease } from './run.js';

interface Options {
  shape: string;
  events?: number;
  duration?: number;
  seed: number;
  rate?: number;
  depth?: number;
  sizes?: SizeMix;
  cpus: number;
  devices: number;
  misbehave: MischiefRate[];
  kernel: string;
  swiotlb?: BootParameter;
  pageSize: number;
  file?: string;
}

/** Events without a word on the length. */
const DEFAULT_EVENTS = 10_000;

/** Where the pool lies: below 4 GiB, as at boot, and not at a round address. */
const POOL_BASE = 0x9700_0000;

/** Rows that are made text at a time. */
const PIECE = 256;

/** One mapping in so many is treated badly where nothing is said. */
const DEFAULT_ONE_IN = 1000;

/** `generate`: a synthetic workload. */
export function generateCommand(command: Command): void {
  command
    .description(
      'Print a synthetic trace, with the results that the allocator of a release gives.\n' +
        'The same options and seed give the same bytes on every machine. docs/generate.md\n' +
        'tells the shapes.',
    )
    .addOption(
      new Option('--shape <shape>', 'what the devices do')
        .choices(Object.keys(SHAPES))
        .default('mixed'),
    )
    .addOption(
      new Option('--events <n>', `rows at most, such as 500, 20K, 100M (default: 10000)`)
        .argParser(parseCount(2))
        .conflicts('duration'),
    )
    .option(
      '--duration <seconds>',
      'time that the workload takes, instead of --events',
      parseSeconds,
    )
    .option('--seed <n>', 'another seed, another trace', parseCount(0), 1)
    .option('--rate <n>', 'requests a second of each device', parseCount(1, 1e9))
    .option(
      '--depth <n>',
      'requests in flight, or buffers of a ring, of each device',
      parseCount(1, 65_536),
    )
    .option('--sizes <mix>', 'sizes with their weights, such as 4K:60,64K:30,1500:10', parseSizes)
    .option('--cpus <n>', 'CPUs that make requests', parseCount(1, 1024), 4)
    .option('--devices <n>', 'devices of each kind', parseCount(1, 16), 1)
    .addOption(
      repeatable(
        '--misbehave <kind[=N]>',
        `what callers do wrong, to one mapping in N (or in ${DEFAULT_ONE_IN}): ${Object.keys(MISCHIEF).join(', ')}`,
        parseMischief,
      ),
    )
    .option('--kernel <release>', 'whose allocator gives the results', 'latest')
    .option(
      '--swiotlb <parameter>',
      'the pool, as for replay; without: 64 MiB and an area for each CPU',
      parseSwiotlb,
    )
    .option(
      '--page-size <bytes>',
      'PAGE_SIZE: 4096, 16384 or 65536 (4K, 16K, 64K)',
      parsePageSize,
      4096,
    )
    .option('-o, --file <file>', 'write the trace to a file, complete or not at all')
    .action(generate);
}

async function generate(options: Options): Promise<void> {
  const kernel = options.kernel === 'latest' ? latestRelease().name : options.kernel;
  const release = requireRelease(kernel);
  const parameter = options.swiotlb;
  const boot = setUpAtBoot(release, {
    nslabs: parameter?.nslabs ?? DEFAULT_NSLABS,
    areas: parameter?.areas ?? options.cpus,
    failures: parameter?.failures ?? 0,
  });
  if (boot === undefined) {
    throw new UserError(
      `--swiotlb ${parameter?.text}: ${release.name} sets up no pool, or does not boot`,
    );
  }
  const pool = { name: 'default', base: POOL_BASE, ...boot };
  const { duration } = options;
  const workload = createWorkload({
    release,
    pageSize: options.pageSize,
    pool,
    kinds: SHAPES[options.shape].map((kind) => adjusted(kind, options)),
    devices: options.devices,
    cpus: options.cpus,
    seed: options.seed,
    mischief: options.misbehave,
    events: duration === undefined ? (options.events ?? DEFAULT_EVENTS) : Number.POSITIVE_INFINITY,
    duration: duration ?? Number.POSITIVE_INFINITY,
  });
  const output = openOutput(options.file);
  const progress = progressOf(workload, options);
  try {
    await writeAll(workload, output, progress, {
      kernel: release.name,
      pageSize: options.pageSize,
      pool,
      comments: [`swiotlb-replay generate --shape ${options.shape} --seed ${options.seed}`],
    });
    await output.done();
  } catch (error) {
    output.abandon();
    throw error;
  } finally {
    progress.end();
  }
  process.exitCode = Exit.ok;
}

/** Progress where rows go to a file: in a pipe the reader may show its own, on a terminal they are seen. */
function progressOf(workload: Workload, { file, events, duration }: Options): Progress {
  const work: Work =
    duration === undefined
      ? { done: workload.events, total: events ?? DEFAULT_EVENTS, unit: 'events' }
      : { done: () => workload.now() / 1e9, total: duration / 1e9, unit: 'seconds' };
  const isFile = file !== undefined || fstatSync(1).isFile();
  return isFile ? showProgress(work, process.stderr) : { tick() {}, end() {} };
}

async function writeAll(
  workload: Workload,
  output: Output,
  progress: Progress,
  {
    kernel,
    pageSize,
    pool,
    comments,
  }: {
    kernel: string;
    pageSize: number;
    pool: PoolGeometry;
    comments: string[];
  },
): Promise<void> {
  const { devices, allocator } = workload;
  const writer = csvWriter((device) => devices[device].name);
  const startIndexes = new Array<number>(pool.areas).fill(0);
  await output.write(
    writer.head({
      kernel,
      pageSize,
      dynamic: false,
      pools: [{ ...pool, startIndexes, indexKnowledge: 'given', restricted: false }],
      devices: devices.map(({ name, minAlignMask }) => ({
        name,
        minAlignMask,
        segBoundaryMask: 0xffff_ffff,
      })),
      comments,
      lost: [],
    }),
  );
  for (let batch = workload.next(); batch.length > 0; batch = workload.next()) {
    progress.tick();
    for (let n = 0; n < batch.length; n += PIECE) {
      await output.write(writer.events(batch, n, Math.min(batch.length, n + PIECE)));
    }
  }
  const { used, usedHiwater, pool: end } = allocator;
  await output.write(writer.end([{ used, usedHiwater, index: [...end.areaIndex] }]));
}

/** A kind of device with the user's word on top. */
function adjusted(kind: DeviceKind, { rate, depth, sizes }: Options): DeviceKind {
  return {
    ...kind,
    streams: kind.streams.map((stream) => ({
      ...stream,
      rate: rate ?? stream.rate,
      depth: depth ?? stream.depth,
      // What has one size has it for a reason: headers, ring buffers.
      parts: stream.parts.map((part) =>
        sizes === undefined || part.sizes.length === 1 ? part : { ...part, sizes },
      ),
    })),
  };
}

/** A whole number with K, M or G behind it, for thousands and so on. */
function parseCount(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const parts = /^(\d{1,16})([KMG]?)$/i.exec(text);
    const value = parts
      ? Number(parts[1]) * 1000 ** ' KMG'.indexOf(parts[2].toUpperCase() || ' ')
      : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw new InvalidArgumentError(
        `It is a whole number from ${least} to ${most}, such as 500 or 20K.`,
      );
    }
    return value;
  };
}

/** Seconds, in nanoseconds. */
function parseSeconds(text: string): number {
  const parts = /^(\d{1,6})(?:\.(\d{1,9}))?s?$/.exec(text);
  if (parts === null) throw new InvalidArgumentError('It is a number of seconds, such as 2.5.');
  return Number(parts[1]) * 1e9 + Number((parts[2] ?? '').padEnd(9, '0'));
}

/** `4K:60,1500:40`: bytes, or KiB with K and MiB with M, and weights. */
function parseSizes(text: string): SizeMix {
  return text.split(',').map((pair) => {
    const parts = /^(\d{1,9})([KM]?)(?::(\d{1,6}))?$/i.exec(pair);
    const size = parts
      ? Number(parts[1]) * 1024 ** ' KM'.indexOf(parts[2].toUpperCase() || ' ')
      : 0;
    const weight = Number(parts?.[3] ?? 1);
    if (!(size >= 1 && size < 2 ** 30 && weight >= 1)) {
      throw new InvalidArgumentError(`"${pair}" is not SIZE or SIZE:WEIGHT, such as 4K:60.`);
    }
    return [size, weight];
  });
}

function parseMischief(text: string): MischiefRate {
  const [name, oneIn] = text.split('=');
  if (!Object.hasOwn(MISCHIEF, name)) {
    throw new InvalidArgumentError(`"${name}" is none of ${Object.keys(MISCHIEF).join(', ')}.`);
  }
  return {
    name: name as MischiefName,
    oneIn: oneIn === undefined ? DEFAULT_ONE_IN : parseCount(1, 2 ** 32)(oneIn),
  };
}
