import type { IommuRecord } from '../../events/iommuRecords.js';
import { ADDRESS_LIMIT } from '../../events/numbers.js';
import { startsWithAt } from '../lines.js';
import { viewOf } from '../literals.js';
import { contextKey } from './contexts.js';
import { emptyFields, emptyLayout, Field, scanFields } from './fields.js';
import { lowOf, pageOf, pagesOf } from './iommuPages.js';
import { iovaDomainOf } from './iovaDomains.js';
import { listOf } from './lists.js';
import { isProbeBody, type TraceRecord } from './record.js';
import { createWordTable, wordNumber } from './words.js';

/*
 * iommu:map and iommu:unmap name no device. Records of the same task, right before or behind, do:
 *
 *     dma_map: (iommu_dma_map_page+0x5/0x260) dev="0000:00:02.0" ...     then iova_alloc, iova_alloc_ret, map
 *     dma_unmap: (iommu_dma_unmap_page+0x5/0x90) dev="0000:00:02.0" dma_addr=0xffffabc0 ...     then unmap
 *     map: (swiotlb_tbl_map_single+0x5/0x6c0) dev="0000:02:00.0" ... size=48 ...     then map_ret, map
 *     unmap: (swiotlb_tbl_unmap_single+0x5/0x1a0) dev="0000:02:00.0" tlb_addr=0x7b677000 ...     behind unmap
 *     dma_alloc: 0000:c2:00.0 dma_addr=fe980000 size=524288 ...     behind map
 *     dma_free: 0000:c2:00.0 dma_addr=fe980000 size=524288 ...     before unmap; dma_unmap_page behind it
 */
const PROBES = [
  'dma_map',
  'dma_map_sg',
  'dma_alloc',
  'dma_alloc_iova',
  'iova_alloc',
  'iova_alloc_ret',
  'dma_unmap',
  'dma_unmap_sg',
  'dma_free',
  'map',
  'map_ret',
  'unmap',
] as const;
type Probe = (typeof PROBES)[number];

const probeNames = createWordTable(PROBES);

/** Stock events, and whether they are printed before the page table changes. */
const STOCK: Readonly<Record<string, 'mapped' | 'unmapping' | 'unmapped'>> = {
  dma_map_page: 'mapped',
  dma_map_phys: 'mapped',
  dma_map_resource: 'mapped',
  dma_map_sg: 'mapped',
  dma_alloc: 'mapped',
  dma_alloc_pages: 'mapped',
  dma_free: 'unmapping',
  dma_free_pages: 'unmapping',
  dma_unmap_page: 'unmapped',
  dma_unmap_phys: 'unmapped',
  dma_unmap_resource: 'unmapped',
};

const STOCK_NAMES = Object.keys(STOCK);
const stockNames = createWordTable(STOCK_NAMES);

const SINGLE = /^(\S{1,128}) (?:dir=\w{1,16} )?dma_addr=([0-9a-f]{1,16}) size=(\d{1,20})(?: |$)/;
const LIST = /^(\S{1,128}) dir=\w{1,16} /;
const DEVICE_ALONE = /^\S{1,128}$/;

/** A list of 128 segments takes about 10 KiB. */
const MAX_TEXT = 1 << 16;

const QUOTE = Buffer.from('dev="');

/** Calls of one task, and of interrupts on top of it, that can be in flight. */
const MAX_DEPTH = 16;

/** IOVA domains that are told apart; a machine has hundreds. */
const MAX_DOMAINS = 1024;

/** What is known of the calls of a task. */
interface Calls {
  /** The device of a mapping call that has begun. */
  device: string;
  /** Pages that calls in flight ask the IOVA allocator for. */
  asked: { device: string; pages: number; granulePages: number }[];
  /** Bounce buffers that calls in flight ask for. */
  bounces: { device: string; size: number }[];
}

/** Reads records that name devices. */
export interface IommuLabels {
  read(bytes: Buffer, record: TraceRecord, line: number): void;
  /** Whether the last record was cut behind the device's name. */
  awaitsRest(): boolean;
  /** The rest of the last record does not come. */
  giveUp(): void;
  /** The rest of the last record, where it was cut behind the device's name. */
  join(text: string): boolean;
}

/** Tells `onRecord` which device's call maps, has mapped or unmaps what. */
export function createIommuLabels(onRecord: (record: IommuRecord) => void): IommuLabels {
  const callsOf = new Map<number, Calls>();
  const deviceOf = new Map<string, string>();
  const layouts = PROBES.map(emptyLayout);
  const fields = emptyFields();
  let made = { line: 0, time: 0, task: 0 };
  /** A stock event that ended behind the device's name. */
  let cut: { event: string; text: string } | undefined;

  function callsHere(): Calls {
    let calls = callsOf.get(made.task);
    if (calls === undefined) {
      calls = { device: '', asked: [], bounces: [] };
      callsOf.set(made.task, calls);
    }
    return calls;
  }

  /**
   * The device that allocates in an IOVA domain; '' where the domain is another's: an interrupt's calls
   * stand between those of what it interrupted.
   */
  function deviceOfDomain(pointer: string, device: string): string {
    const known = deviceOf.get(pointer);
    if (known !== undefined) return known === device ? device : '';
    if (device !== '' && pointer !== '' && deviceOf.size < MAX_DOMAINS) {
      deviceOf.set(pointer, device);
    }
    return device;
  }

  function readProbe(probe: Probe, bytes: Buffer, record: TraceRecord): void {
    const { values, devFrom, devTo } = fields;
    const device = devTo > devFrom ? bytes.toString('utf8', devFrom, devTo) : '';
    const calls = callsHere();
    switch (probe) {
      case 'iova_alloc': {
        const pointer = iovaDomainOf(bytes, record);
        const granulePages = (values[Field.granule] || 4096) / 4096;
        const pages = values[Field.size] * granulePages;
        push(calls.asked, { device: deviceOfDomain(pointer, calls.device), pages, granulePages });
        return;
      }
      case 'iova_alloc_ret': {
        const asked = calls.asked.pop();
        const first = values[Field.pfn] * (asked?.granulePages ?? Number.NaN);
        const last = first + (asked?.pages ?? Number.NaN) - 1;
        if (asked === undefined || asked.device === '' || !(first > 0 && last >= first)) return;
        onRecord({ kind: 'mapping', device: asked.device, pages: { first, last }, ...made });
        return;
      }
      case 'dma_unmap':
      case 'dma_unmap_sg':
      case 'dma_free':
        if (device !== '') release(device, values[Field.dma_addr]);
        return;
      case 'map':
        push(calls.bounces, { device, size: values[Field.size] });
        return;
      case 'map_ret': {
        const slot = values[Field.ret];
        const bounce = calls.bounces.pop();
        if (bounce === undefined || bounce.device === '' || !(slot < ADDRESS_LIMIT)) return;
        onRecord({ kind: 'bounce', slot, ...bounce, ...made });
        return;
      }
      case 'unmap': {
        const slot = values[Field.tlb_addr];
        if (device !== '' && slot < ADDRESS_LIMIT)
          onRecord({ kind: 'release', device, slot, ...made });
        return;
      }
      default:
        calls.device = device;
    }
  }

  function release(device: string, address: number): void {
    if (!(address < ADDRESS_LIMIT)) return;
    const page = Math.floor(address / 4096);
    onRecord({ kind: 'unmapping', device, pages: { first: page, last: page }, ...made });
  }

  function readStock(event: string, text: string): void {
    const kind = STOCK[event];
    if (event === 'dma_map_sg') {
      const device = LIST.exec(text)?.[1];
      const starts = listOf(text, 'dma_addrs', 8) ?? [];
      const sizes = listOf(text, 'sizes', 4) ?? [];
      if (device === undefined || starts.length !== sizes.length) return;
      starts.forEach((start, n) => {
        label(kind, device, start.toString(16), sizes[n]);
      });
      return;
    }
    const match = SINGLE.exec(text);
    if (match !== null) label(kind, match[1], match[2], Number(match[3]));
    else if (DEVICE_ALONE.test(text.trimEnd())) cut = { event, text: text.trimEnd() };
  }

  function label(kind: (typeof STOCK)[string], device: string, start: string, bytes: number): void {
    // DMA_MAPPING_ERROR is no mapping.
    if (pageOf(start) === 2 ** 52 - 1 && lowOf(start) === 4095) return;
    const pages = pagesOf(start, bytes);
    if (pages !== undefined) onRecord({ kind, device, pages, ...made });
  }

  return {
    read(bytes, record, line) {
      cut = undefined;
      const { nameFrom, nameTo, bodyFrom, bodyTo } = record;
      const isProbe = isProbeBody(bytes, bodyFrom) || startsWithAt(bytes, bodyFrom, QUOTE);
      const table = isProbe ? probeNames : stockNames;
      const event = wordNumber(table, bytes, nameFrom, nameTo);
      if (event < 0) return;
      made = { line, time: record.time, task: contextKey(record.pid, record.cpu) };
      if (isProbe) {
        scanFields(bytes, viewOf(bytes), bodyFrom, bodyTo, layouts[event], -1, fields);
        readProbe(PROBES[event], bytes, record);
      } else {
        const to = Math.min(bodyTo, bodyFrom + MAX_TEXT);
        readStock(STOCK_NAMES[event], bytes.toString('utf8', bodyFrom, to));
      }
    },
    awaitsRest: () => cut !== undefined,
    giveUp() {
      cut = undefined;
    },
    join(text) {
      if (cut === undefined) return false;
      const { event, text: first } = cut;
      cut = undefined;
      const rest = text.slice(0, MAX_TEXT).trim();
      if (!/^(?:dir|dma_addr)=/.test(rest)) return false;
      readStock(event, `${first} ${rest}`);
      return true;
    },
  };
}

function push<T>(calls: T[], call: T): void {
  if (calls.length >= MAX_DEPTH) calls.shift();
  calls.push(call);
}
