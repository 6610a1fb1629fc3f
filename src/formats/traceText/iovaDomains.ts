import type { IovaTrace } from '../../events/iommu.js';
import { Field } from './fields.js';
import type { TraceRecord } from './record.js';

/** An IOVA domain of a text: its number among the trace's domains, and what is allocated in it. */
export interface SeenDomain {
  number: number;
  /** Ids by first pfn. */
  live: Map<number, number>;
}

/** The domains of a text, told apart by the pointers that the probes print. */
export interface IovaDomains {
  /** The domain that a record names, declared if it is new; why not, where it cannot be read. */
  at(bytes: Buffer, record: TraceRecord, values: Float64Array, line: number): SeenDomain | string;
  /** The domain that a record names, if it was seen before. */
  known(bytes: Buffer, record: TraceRecord): SeenDomain | undefined;
  /** A device that allocates in a domain; empty for one that is not known. */
  nameDevice(seen: SeenDomain, device: string): void;
}

const POINTER = Buffer.from('iovad=');

/** 0x and the digits of 64 bits. */
const MAX_POINTER_BYTES = 18;

/** A machine has hundreds of devices; more domains in one text are somebody's joke. */
const MAX_DOMAINS = 65_536;

const MAX_DEVICES = 64;

/** Granules of IOMMUs, bytes. */
const MIN_GRANULE = 4096;
const MAX_GRANULE = 65_536;

/**
 * The IOVA domain that a record names, by the pointer as it stands there: it has 64 bits, which no
 * number keeps, and only its identity counts.
 * @returns '' for none
 */
export function iovaDomainOf(bytes: Buffer, { bodyFrom, bodyTo }: TraceRecord): string {
  const hit = bytes.indexOf(POINTER, bodyFrom);
  if (hit < 0 || hit >= bodyTo) return '';
  const from = hit + POINTER.length;
  const blank = bytes.indexOf(0x20, from);
  const to = blank < 0 || blank > bodyTo ? bodyTo : blank;
  return to - from > MAX_POINTER_BYTES ? '' : bytes.toString('latin1', from, to);
}

/** Fills the trace's domains and tells, as assumptions, what the text does not. */
export function createIovaDomains(trace: IovaTrace): IovaDomains {
  const byPointer = new Map<string, SeenDomain>();
  let pointer = '';
  let last: SeenDomain | undefined;

  function known(bytes: Buffer, record: TraceRecord): SeenDomain | undefined {
    const text = iovaDomainOf(bytes, record);
    if (text !== pointer || last === undefined) {
      pointer = text;
      last = byPointer.get(text);
    }
    return last;
  }

  function declare(values: Float64Array, line: number): SeenDomain | string {
    if (pointer === '') return 'iovad cannot be read';
    if (byPointer.size >= MAX_DOMAINS) return `has more than ${MAX_DOMAINS} IOVA domains`;
    const number = byPointer.size;
    const name = `dom${number}`;
    let granule = values[Field.granule];
    let startPfn = values[Field.start_pfn];
    const assume = (message: string): void => {
      trace.assumptions.push({ line, message });
    };
    if (number === 0) tellUnknown(trace);
    if (Number.isNaN(granule) || Number.isNaN(startPfn)) {
      assume(`${name}: granule and start_pfn are not told: taken to be ${MIN_GRANULE} and 1`);
      granule = MIN_GRANULE;
      startPfn = 1;
    } else if (
      !Number.isInteger(Math.log2(granule)) ||
      granule < MIN_GRANULE ||
      granule > MAX_GRANULE
    ) {
      return `granule ${granule} is no granule of an IOMMU`;
    }
    // Every pfn below it is free in a new domain; the first slow failure or allocation lowers it.
    const max32 = values[Field.max32_alloc_size];
    if (max32 < values[Field.dma_32bit_pfn]) {
      assume(`${name} was in use before the trace began: what it holds already is not known`);
    }
    trace.domains.push({
      name,
      granule,
      startPfn,
      lazy: false,
      pci: true,
      forcedac: false,
      apertureEnd: Number.POSITIVE_INFINITY,
      busDmaLimit: Number.POSITIVE_INFINITY,
      devices: [],
    });
    const seen: SeenDomain = { number, live: new Map() };
    byPointer.set(pointer, seen);
    last = seen;
    return seen;
  }

  return {
    known,
    at: (bytes, record, values, line) => known(bytes, record) ?? declare(values, line),
    nameDevice({ number }, device) {
      const { devices } = trace.domains[number];
      if (device === '' || devices.length >= MAX_DEVICES || devices.includes(device)) return;
      devices.push(device);
    },
  };
}

/** What no probe at the IOVA allocator tells. */
function tellUnknown({ assumptions }: IovaTrace): void {
  assumptions.push({
    line: undefined,
    message:
      'the text does not tell lazy, pci, forcedac, aperture_end and bus_dma_limit of a domain;' +
      ' calls of alloc_iova_fast() and free_iova_fast(), with their own limits, do not need them',
  });
}
