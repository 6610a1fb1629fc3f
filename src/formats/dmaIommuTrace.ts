import {
  type BouncePoolLine,
  type CopyCount,
  type DeviceAddressField,
  DMA_OPS,
  type DmaDeviceLine,
  type DmaIommuTrace,
  type DmaResult,
  type DmaRow,
  type PhysPiece,
} from '../events/iommu.js';
import { ADDRESS_LIMIT, isSegBoundary, MAX_NSLABS } from '../events/numbers.js';
import { createPlainDmaRowReader } from './dmaIommuPlainRow.js';
import { problemOfDmaRow } from './iommuRows.js';
import {
  BadField,
  checkVersion,
  createLineReader,
  type Directive,
  declare,
  flagOf,
  granuleOf,
  KERNEL_KEYS,
  kernelOf,
  maskField,
  numberField,
  numberOf,
  type Pairs,
  required,
  type TraceReader,
  timeField,
  wordField,
} from './iommuText.js';

const COLUMNS = (
  'time,cpu,dev,op,id,phys,size,dir,attrs,dma,result,granules,slots,leaked,' +
  'to_bounce,from_bounce,arch,warn,crc'
).split(',');

function poolOf(pairs: Pairs): BouncePoolLine {
  const base = numberOf(pairs, 'base', ADDRESS_LIMIT);
  if (base % 2048 !== 0) throw new BadField('base= is not a multiple of 2048');
  const nslabs = numberOf(pairs, 'nslabs', MAX_NSLABS + 1);
  const areas = numberField('areas', pairs.get('areas') ?? '1');
  if (nslabs === 0 || !Number.isInteger(Math.log2(areas)) || areas > nslabs) {
    throw new BadField(`areas=${areas} is not a power of two of at most nslabs=${nslabs}`);
  }
  return { name: pairs.get('name') ?? 'default', base, nslabs, areas };
}

const DEVICE_KEYS = (
  'name,granule,start_pfn,lazy,dma_mask,pci,untrusted,coherent,min_align_mask,' +
  'seg_boundary_mask,max_seg_size'
).split(',');

function deviceOf(pairs: Pairs): DmaDeviceLine {
  const segBoundaryMask = maskField('seg_boundary_mask', required(pairs, 'seg_boundary_mask'));
  if (!isSegBoundary(segBoundaryMask)) {
    throw new BadField('seg_boundary_mask= is not a power of two less one, from 0x7ff up');
  }
  return {
    name: required(pairs, 'name'),
    granule: granuleOf(pairs),
    startPfn: numberOf(pairs, 'start_pfn'),
    lazy: flagOf(pairs, 'lazy'),
    pci: flagOf(pairs, 'pci'),
    dmaMask: maskField('dma_mask', required(pairs, 'dma_mask')),
    untrusted: flagOf(pairs, 'untrusted'),
    coherent: flagOf(pairs, 'coherent'),
    minAlignMask: numberOf(pairs, 'min_align_mask', 2 ** 32),
    segBoundaryMask,
    maxSegSize: numberOf(pairs, 'max_seg_size', 2 ** 32),
  };
}

/** The parts of a list, `;`-separated; none for an empty field. */
function listOf(text: string): string[] {
  return text === '' ? [] : text.split(';');
}

/** `0xaddr+len`, or an address alone. */
function pieceOf(name: string, text: string): PhysPiece {
  const [phys, length] = text.split('+');
  return {
    phys: numberField(name, phys, ADDRESS_LIMIT),
    length: length === undefined ? Number.NaN : numberField(name, length),
  };
}

/** A device address of up to 64 bits, kept whole. */
function deviceAddressOf(text: string): DeviceAddressField & { length: number } {
  const [address, length] = text.split('+');
  const digits = /^0x([0-9a-f]{1,16})$/i.exec(address)?.[1];
  if (digits === undefined) throw new BadField(`dma ${text} is not an address in hex`);
  const low = digits.slice(-3);
  const page = digits.slice(0, -3);
  return {
    page: page === '' ? 0 : Number.parseInt(page, 16),
    low: Number.parseInt(low, 16),
    length: length === undefined ? Number.NaN : numberField('dma', length),
  };
}

/** `copies:bytes`; NaN for an empty field. */
function countOf(name: string, text: string): CopyCount {
  if (text === '') return { copies: Number.NaN, bytes: Number.NaN };
  const [copies, bytes = ''] = text.split(':');
  return { copies: numberField(name, copies), bytes: numberField(name, bytes) };
}

/** `D0xaddr+len` or `C0xaddr+len`. */
function cacheSyncOf(text: string): DmaRow['arch'][number] {
  if (text[0] !== 'D' && text[0] !== 'C') throw new BadField(`arch ${text} begins with no D or C`);
  return { ...pieceOf('arch', text.slice(1)), for: text[0] === 'D' ? 'device' : 'cpu' };
}

function optional(name: string, text: string): number {
  return text === '' ? Number.NaN : numberField(name, text);
}

/** An address as hex() prints it is a number: the trace says the same either way. */
function resultOf(text: string): DmaResult {
  return /^0x(0|[1-9a-f][0-9a-f]{0,12})$/.test(text) ? Number(text) : text;
}

function crcOf(text: string): number {
  if (text === '') return Number.NaN;
  if (!/^[0-9a-f]{8}$/i.test(text)) throw new BadField(`crc ${text} is not eight hex digits`);
  return Number.parseInt(text, 16);
}

function rowOf(
  trace: DmaIommuTrace,
  numbers: ReadonlyMap<string, number>,
  fields: readonly string[],
  line: number,
): DmaRow {
  const [time, cpu, dev, op, id, phys, size, dir, attrs, dma, result, ...state] = fields;
  const [granules, slots, leaked, toBounce, fromBounce, arch, warn, crc] = state;
  const device = numbers.get(dev);
  if (device === undefined) throw new BadField(`dev ${dev} has no #device line`);
  return {
    line,
    time: timeField(time),
    cpu: numberField('cpu', cpu, trace.kernel.cpus),
    device,
    op: wordField('op', DMA_OPS, op),
    id: optional('id', id),
    phys: listOf(phys).map((text) => pieceOf('phys', text)),
    size: optional('size', size),
    dir: dir === '' ? Number.NaN : numberField('dir', dir, 3),
    attrs: attrs === '' ? Number.NaN : numberField('attrs', attrs, 2 ** 32),
    dma: dma === 'error' ? [] : listOf(dma).map(deviceAddressOf),
    failed: dma === 'error',
    result: resultOf(result),
    granules: optional('granules', granules),
    slots: optional('slots', slots),
    leaked: optional('leaked', leaked),
    toBounce: countOf('to_bounce', toBounce),
    fromBounce: countOf('from_bounce', fromBounce),
    arch: listOf(arch).map(cacheSyncOf),
    warn: optional('warn', warn),
    crc: crcOf(crc),
  };
}

function directivesFor(
  trace: DmaIommuTrace,
  numbers: Map<string, number>,
): Record<string, Directive> {
  return {
    '#dma-iommu-trace': { keys: ['1'], read: checkVersion },
    '#kernel': {
      keys: KERNEL_KEYS,
      read: (pairs) => {
        trace.kernel = kernelOf(pairs);
      },
    },
    '#ram': {
      keys: ['base', 'size'],
      read: (pairs) => {
        const phys = numberOf(pairs, 'base', ADDRESS_LIMIT);
        trace.ram = { phys, length: numberOf(pairs, 'size', ADDRESS_LIMIT) };
      },
    },
    '#pool': {
      keys: ['name', 'base', 'nslabs', 'areas'],
      read: (pairs) => {
        if (trace.pools.length > 0)
          throw new BadField('a second pool is not known to these traces');
        trace.pools.push(poolOf(pairs));
      },
    },
    '#device': {
      keys: DEVICE_KEYS,
      read: (pairs) => {
        declare(trace.devices, numbers, deviceOf(pairs));
      },
    },
  };
}

/**
 * A reader of a `#dma-iommu-trace 1` (what drivers asked of the DMA mapping layer behind an IOMMU, what
 * it answered, and the state after each call).
 * @param onRow given each row as it is read
 */
export function createDmaIommuTraceReader(
  onRow: (row: DmaRow) => void,
): TraceReader<DmaIommuTrace> {
  const trace: DmaIommuTrace = {
    kernel: { version: '', identical: [], pageSize: 4096, cpus: 1 },
    ram: undefined,
    pools: [],
    devices: [],
    problems: { count: 0, first: [] },
    assumptions: [],
  };
  const numbers = new Map<string, number>();
  return createLineReader(
    {
      directives: directivesFor(trace, numbers),
      columns: COLUMNS,
      row: (fields, line) => {
        const row = rowOf(trace, numbers, fields, line);
        const problem = problemOfDmaRow(row);
        if (problem !== undefined) throw new BadField(problem);
        onRow(row);
      },
      openPlainRows: () => createPlainDmaRowReader(trace, onRow),
    },
    trace,
  );
}
