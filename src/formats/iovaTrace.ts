import { IOVA_OPS, type IovaDomainLine, type IovaRow, type IovaTrace } from '../events/iommu.js';
import { checkIovaRow } from './iommuRows.js';
import {
  BadField,
  checkVersion,
  createLineReader,
  declare,
  flagOf,
  granuleOf,
  KERNEL_KEYS,
  kernelOf,
  lastByteOf,
  maskField,
  numberField,
  numberOf,
  type Pairs,
  required,
  type TraceReader,
  timeField,
  wordField,
} from './iommuText.js';

const COLUMNS = ['time', 'cpu', 'dom', 'op', 'id', 'size', 'limit', 'flags', 'iova'];

const DOMAIN_KEYS =
  'name,granule,start_pfn,lazy,pci,forcedac,aperture_end,bus_dma_limit,devices'.split(',');

function domainOf(pairs: Pairs): IovaDomainLine {
  return {
    name: required(pairs, 'name'),
    granule: granuleOf(pairs),
    startPfn: numberOf(pairs, 'start_pfn'),
    lazy: flagOf(pairs, 'lazy'),
    pci: flagOf(pairs, 'pci'),
    forcedac: flagOf(pairs, 'forcedac'),
    apertureEnd: lastByteOf(pairs, 'aperture_end'),
    busDmaLimit: lastByteOf(pairs, 'bus_dma_limit'),
    devices: (pairs.get('devices') ?? '').split(';').filter((name) => name !== ''),
  };
}

/** A number, or NaN for an empty field. */
function optional(name: string, text: string): number {
  return text === '' ? Number.NaN : numberField(name, text);
}

function rowOf(
  trace: IovaTrace,
  numbers: ReadonlyMap<string, number>,
  fields: readonly string[],
  line: number,
): IovaRow {
  const [time, cpu, dom, op, id, size, limit, flags, iova] = fields;
  const domain = numbers.get(dom);
  if (domain === undefined) throw new BadField(`dom ${dom} has no #domain line`);
  return {
    line,
    time: timeField(time),
    cpu: numberField('cpu', cpu, trace.kernel.cpus),
    domain,
    op: wordField('op', IOVA_OPS, op),
    id: optional('id', id),
    size: optional('size', size),
    limit: limit === '' ? Number.NaN : maskField('limit', limit),
    flags: optional('flags', flags),
    pfn: iova === 'fail' ? Number.NaN : optional('iova', iova),
    failed: iova === 'fail',
  };
}

/**
 * A reader of an `#iova-trace 1` (what the IOVA allocator was asked, and what it answered).
 * @param onRow given each row as it is read
 */
export function createIovaTraceReader(onRow: (row: IovaRow) => void): TraceReader<IovaTrace> {
  const trace: IovaTrace = {
    kernel: { version: '', identical: [], pageSize: 4096, cpus: 1 },
    domains: [],
    problems: { count: 0, first: [] },
    assumptions: [],
  };
  const numbers = new Map<string, number>();
  return createLineReader(
    {
      directives: {
        '#iova-trace': { keys: ['1'], read: checkVersion },
        '#kernel': {
          keys: KERNEL_KEYS,
          read: (pairs) => {
            trace.kernel = kernelOf(pairs);
          },
        },
        '#domain': {
          keys: DOMAIN_KEYS,
          read: (pairs) => {
            declare(trace.domains, numbers, domainOf(pairs));
          },
        },
      },
      columns: COLUMNS,
      row: (fields, line) => {
        onRow(checkIovaRow(rowOf(trace, numbers, fields, line)));
      },
    },
    trace,
  );
}
