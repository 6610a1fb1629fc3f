import { type DeviceNames, deviceNumberOf } from '../events/names.js';
import { ADDRESS_LIMIT, isSegBoundary, MAX_NSLABS, parseMask } from '../events/numbers.js';
import { type Expectation, logProblem, type TraceInfo } from '../events/trace.js';
import { PAGE_SIZES } from '../kernel/constants.js';

/** Reads the `#word key=value ...` lines of a canonical trace into a trace's declarations. */
export type DirectiveReader = (text: string, line: number) => void;

/** Reads a directive that is already taken apart; `text` is what a message shows of it. */
export type DeclarationReader = (
  word: string,
  values: Map<string, string>,
  line: number,
  text: string,
) => void;

/** The directives, and what may stand in each; anything else is said not to have been read. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  '#swiotlb-trace': ['1'],
  '#kernel': ['version', 'page_size', 'dynamic'],
  '#pool': ['name', 'base', 'nslabs', 'areas', 'index', 'for_alloc', 'restricted'],
  '#device': ['name', 'min_align_mask', 'seg_boundary_mask', 'dma_mask', 'pool'],
  '#lost': ['events'],
  '#expect': ['pool', 'used', 'used_hiwater', 'index'],
};

/** Whether a line is a directive of a canonical trace. */
export function isDirective(text: string): boolean {
  return Object.hasOwn(KEYS, text.trimEnd().split(/\s/, 1)[0]);
}

/** A reader of directives that fills `info`. */
export function createDirectiveReader(info: TraceInfo, names: DeviceNames): DirectiveReader {
  const declare = createDeclarationReader(info, names);
  return (text, line) => {
    const [word, ...pairs] = text.trim().split(/\s+/);
    declare(word, new Map(pairs.map(splitPair)), line, text);
  };
}

const MAX_AREAS = 4096;

/** A value that a directive cannot have; caught in this file. */
class BadValue extends Error {}

function numberOf(key: string, text: string, limit: number): number {
  const value = parseMask(text);
  if (!(value < limit))
    throw new BadValue(`${key}=${text} is not a number below 0x${limit.toString(16)}`);
  return value;
}

/** A mask of up to 64 bits; all ones is Infinity. */
function maskOf(key: string, text: string): number {
  const value = parseMask(text);
  if (Number.isNaN(value)) throw new BadValue(`${key}=${text} is not a mask`);
  return value;
}

/** Start indexes, `:`-separated. */
function indexesOf(key: string, text: string): number[] {
  return text.split(':').map((index) => numberOf(key, index, MAX_NSLABS));
}

/** A flag: 1 or 0; missing or empty is 0. */
function flagOf(values: ReadonlyMap<string, string>, key: string): boolean {
  const text = values.get(key) || '0';
  if (text !== '0' && text !== '1') throw new BadValue(`${key}=${text} is neither 0 nor 1`);
  return text === '1';
}

/** A reader that fills `info`. Directives it does not know are problems: they may change the verdict. */
export function createDeclarationReader(info: TraceInfo, names: DeviceNames): DeclarationReader {
  const readers: Record<string, (values: Map<string, string>, line: number) => void> = {
    '#swiotlb-trace': readVersion,
    '#kernel': readKernel,
    '#pool': readPool,
    '#device': readDevice,
    '#lost': readLost,
    '#expect': readExpect,
  };

  function readVersion(values: Map<string, string>): void {
    const [version] = values.keys();
    if (version !== undefined && version !== '1') {
      throw new BadValue(`version ${version} of the format is not known, only 1`);
    }
  }

  function readKernel(values: Map<string, string>): void {
    info.kernel = values.get('version') || info.kernel;
    info.dynamic = flagOf(values, 'dynamic');
    const pageSize = values.get('page_size');
    if (pageSize === undefined) return;
    if (!PAGE_SIZES.includes(Number(pageSize))) {
      throw new BadValue(`page_size=${pageSize} is none of ${PAGE_SIZES.join(', ')}`);
    }
    info.pageSize = Number(pageSize);
  }

  function readPool(values: Map<string, string>): void {
    const name = values.get('name') || 'default';
    const required = (key: string): string => {
      const value = values.get(key);
      if (value === undefined) throw new BadValue(`#pool ${name} has no ${key}=`);
      return value;
    };
    const base = numberOf('base', required('base'), ADDRESS_LIMIT);
    if (base % 2048 !== 0)
      throw new BadValue(`base=${values.get('base')} is not a multiple of 2048`);
    const nslabs = numberOf('nslabs', required('nslabs'), MAX_NSLABS + 1);
    if (nslabs === 0) throw new BadValue('nslabs=0: a pool has at least one slot');
    const areas = numberOf('areas', values.get('areas') ?? '1', MAX_AREAS + 1);
    if (!Number.isInteger(Math.log2(areas)) || areas > nslabs) {
      throw new BadValue(`areas=${areas} is not a power of two of at most nslabs`);
    }
    if (info.pools.some((pool) => pool.name === name))
      throw new BadValue(`#pool ${name} stands twice`);
    const index = values.get('index');
    info.pools.push({
      name,
      base,
      nslabs,
      areas,
      startIndexes: index === undefined ? [] : indexesOf('index', index),
      indexKnowledge: index === undefined ? 'default' : 'given',
      restricted: [flagOf(values, 'restricted'), flagOf(values, 'for_alloc')].includes(true),
    });
  }

  function readDevice(values: Map<string, string>): void {
    const name = values.get('name');
    if (!name) throw new BadValue('#device has no name=');
    const device = info.devices[deviceNumberOf(names, name)];
    const minAlignMask = values.get('min_align_mask');
    if (minAlignMask) device.minAlignMask = numberOf('min_align_mask', minAlignMask, 2 ** 32);
    const boundary = values.get('seg_boundary_mask');
    if (boundary) {
      const mask = maskOf('seg_boundary_mask', boundary);
      if (!isSegBoundary(mask)) {
        throw new BadValue(
          `seg_boundary_mask=${boundary} is not a power of two less one, from 0x7ff up`,
        );
      }
      device.segBoundaryMask = mask;
    }
    const dmaMask = values.get('dma_mask');
    if (dmaMask) device.dmaMask = maskOf('dma_mask', dmaMask);
    const pool = values.get('pool');
    if (pool) device.pool = pool;
  }

  function readLost(values: Map<string, string>, line: number): void {
    const events = values.get('events');
    info.losses.push({
      line,
      events: events ? numberOf('events', events, 2 ** 53) : undefined,
      message: 'the trace that this one was converted from was not whole',
    });
  }

  function readExpect(values: Map<string, string>, line: number): void {
    const expectation: Expectation = { line };
    const pool = values.get('pool');
    const used = values.get('used');
    const usedHiwater = values.get('used_hiwater');
    const index = values.get('index');
    if (pool) expectation.pool = pool;
    if (used) expectation.used = numberOf('used', used, 2 ** 53);
    if (usedHiwater) expectation.usedHiwater = numberOf('used_hiwater', usedHiwater, 2 ** 53);
    if (index) expectation.index = indexesOf('index', index);
    info.expectations.push(expectation);
  }

  return (word, values, line, text) => {
    const reader = readers[word];
    try {
      if (reader === undefined) {
        throw new BadValue(`unknown directive; known are ${Object.keys(readers).join(', ')}`);
      }
      reader(values, line);
      for (const key of values.keys()) {
        if (KEYS[word].includes(key)) continue;
        info.assumptions.push({ line, message: `${key} of ${word} is not known and was not read` });
      }
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      logProblem(info.problems, line, error.message, text);
    }
  };
}

function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
}
