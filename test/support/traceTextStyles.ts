import type { ReadEvent, Reading } from './reading.js';
import {
  type Body,
  bounced,
  type Place,
  probe,
  recordLine,
  type Shape,
  stock,
} from './traceText.js';

/** Which records are made of a call. */
export type Style =
  /** The entry, the lock and the return. */
  | 'locks'
  /** The entry and the return. */
  | 'returns'
  /** An fprobe at the return of a map, and one at the entry of an unmap. */
  | 'fprobes'
  /** The stock events of v6.12 and later. */
  | 'stock events';

export const STYLES: readonly Style[] = ['locks', 'returns', 'fprobes', 'stock events'];

/** enum dma_data_direction. */
const DIR_NUMBER: Record<string, number> = { bidirectional: 0, to_device: 1, from_device: 2 };

/** DMA_MAPPING_ERROR. */
const FAILED = Number.POSITIVE_INFINITY;

type Device = Reading['info']['devices'][number];

function addressOf({ result }: ReadEvent): number {
  return typeof result === 'number' ? result : FAILED;
}

/** struct page of an address: 64 bytes for each page of 4 KiB. */
function pageOf(address: number): string {
  return `0xfffffd${((address / 4096) * 64).toString(16).padStart(10, '0')}`;
}

/** The indexes at which the areas' searches begin; what counts is the first record that has them. */
function indexes({ info }: Reading): Record<string, number> {
  const { areas, startIndexes } = info.pools[0];
  const areaNumbers = [...Array(Math.min(areas, 4)).keys()];
  return Object.fromEntries(
    areaNumbers.flatMap((area) => [
      [`idx${area}`, startIndexes[area] ?? 0],
      [`used${area}`, 0],
    ]),
  );
}

/** One search of a pool with one area, as the probes of swiotlb_search_pool_area() show it. */
function searchBodies(event: ReadEvent, { info }: Reading): Body[] {
  const { base, nslabs, startIndexes } = info.pools[0];
  const pool = { pool: base, nslabs, nareas: 1, transient: 0, area: 0 };
  const idx = startIndexes[0] ?? 0;
  const address = addressOf(event);
  const index = address < FAILED ? Math.floor((address - base) / 2048) : -1;
  return [
    probe('search', '', { ...pool, orig_addr: 0, alloc_size: event.size, idx0: idx, used0: 0 }),
    probe('search_locked', '', { used: 0, idx, pool: base }),
    probe('search_ret', '', { index }),
  ];
}

function mapBodies(event: ReadEvent, device: Device, reading: Reading, style: Style): Body[] {
  const [pool] = reading.info.pools;
  const asked = {
    orig_addr: event.origAddr,
    size: event.size,
    alloc_size: event.allocSize,
    align_mask: event.allocAlignMask,
    dir: DIR_NUMBER[event.dir],
    attrs: 0,
    min_align: device.minAlignMask,
    seg_mask: device.segBoundaryMask,
    dma_mask: device.dmaMask,
  };
  const ret = addressOf(event);
  const { name } = device;
  if (pool.restricted) {
    return [
      probe('map', name, asked),
      ...searchBodies(event, reading),
      probe('map_ret', '', { ret }),
    ];
  }
  const got = { ret, base: pool.base, nslabs: pool.nslabs };
  if (style === 'fprobes') return [probe('mapx', name, { ...asked, ...got })];
  const idx = indexes(reading);
  return [
    probe('map', name, { ...asked, ...idx }),
    ...(style === 'locks' ? [probe('map_locked', '', idx)] : []),
    probe('map_ret', '', got),
  ];
}

function unmapBodies(event: ReadEvent, { name }: Device, style: Style): Body[] {
  const { size, allocSize, dir } = event;
  const entry = probe('unmap', name, {
    tlb_addr: addressOf(event),
    size,
    alloc_size: allocSize,
    dir: DIR_NUMBER[dir],
    attrs: 0x20,
  });
  if (style === 'locks') return [entry, probe('unmap_locked', '', { used0: 1 })];
  return style === 'returns' ? [entry, probe('unmap_ret', '')] : [entry];
}

/** Pages of restricted pools. */
function pageBodies(event: ReadEvent, { name }: Device, reading: Reading): Body[] {
  const [pool] = reading.info.pools;
  const address = addressOf(event);
  const { size } = event;
  if (event.op === 'free') {
    return [
      probe('free', name, { page: pageOf(address), size }),
      probe('release', name, { tlb_addr: address, pool: pool.base }),
      probe('release_locked', '', { used: 1 }),
      probe('free_ret', '', { ret: 1 }),
    ];
  }
  return [
    probe('alloc', name, { size, mem_start: pool.base, mem_nslabs: pool.nslabs }),
    ...searchBodies(event, reading),
    probe('alloc_ret', '', { page: address < FAILED ? pageOf(address) : '0x0' }),
  ];
}

function stockBodies(event: ReadEvent, { name }: Device): Body[] {
  const { op, size, dir } = event;
  const address = addressOf(event);
  const dma = address < FAILED ? address.toString(16) : 'ffffffffffffffff';
  const start = `${name} dir=${dir.toUpperCase()} dma_addr=${dma} size=${size}`;
  const raw = `device=${name}`;
  const rawEnd = `size=${size} dir=${DIR_NUMBER[dir]}`;
  if (op === 'map') {
    const phys = event.origAddr.toString(16);
    return [
      bounced(name, event.origAddr, size),
      stock(
        'dma',
        'dma_map_page',
        `${start} phys_addr=${phys} attrs=`,
        `${raw} phys_addr=${phys} dma_addr=${dma} ${rawEnd} attrs=0x0`,
      ),
    ];
  }
  if (op === 'unmap') {
    return [
      stock('dma', 'dma_unmap_page', `${start} attrs=`, `${raw} addr=${dma} ${rawEnd} attrs=0x0`),
    ];
  }
  if (op === 'alloc' || op === 'free') {
    const event = `dma_${op}`;
    return [
      stock(
        'dma',
        event,
        `${start} virt_addr=000000006cadbcb1 attrs=`,
        `${raw} virt_addr=0xff2167b1c1730000 dma_addr=${dma} ${rawEnd} attrs=0x0`,
      ),
    ];
  }
  const sync = op === 'sync_for_cpu' ? 'dma_sync_single_for_cpu' : 'dma_sync_single_for_device';
  return [stock('dma', sync, start, `${raw} dma_addr=${dma} ${rawEnd}`)];
}

/** The records that a call leaves. */
function bodiesOf(event: ReadEvent, reading: Reading, style: Style): Body[] {
  const device = reading.info.devices.find(({ name }) => name === event.device);
  if (device === undefined) throw new Error(`no device ${event.device}`);
  if (style === 'stock events') return stockBodies(event, device);
  if (event.op === 'map') return mapBodies(event, device, reading, style);
  if (event.op === 'unmap') return unmapBodies(event, device, style);
  if (event.op === 'alloc' || event.op === 'free') return pageBodies(event, device, reading);
  const sync = event.op === 'sync_for_cpu' ? 'sync_cpu' : 'sync_dev';
  const { size, dir } = event;
  return [probe(sync, device.name, { tlb_addr: addressOf(event), size, dir: DIR_NUMBER[dir] })];
}

/** What the kernel says at boot, as far as a replay needs it. */
export function bootLog({ info }: Reading): string[] {
  const hex = (value: number): string => `0x${value.toString(16).padStart(16, '0')}`;
  const lines = [`Linux version ${info.kernel?.slice(1)} (builder@example) #1 SMP`];
  if (info.pageSize !== 4096)
    lines.push(`BE PAGE_SIZE=${(info.pageSize ?? 0) / 1024}K MMU=Hash SMP`);
  for (const { base, nslabs, areas, restricted } of info.pools) {
    if (restricted) {
      const name = `rdma@${base.toString(16)}`;
      lines.push(
        `Reserved memory: created restricted DMA pool at ${hex(base)}, size ${nslabs / 512} MiB`,
        `OF: reserved mem: initialized node ${name}, compatible id restricted-dma-pool`,
        `OF: reserved mem: ${hex(base)}..${hex(base + nslabs * 2048 - 1)} (${nslabs * 2} KiB) nomap non-reusable ${name}`,
      );
    } else {
      lines.push(
        `software IO TLB: area num ${areas}.`,
        `software IO TLB: mapped [mem ${hex(base)}-${hex(base + nslabs * 2048)}] (${nslabs / 512}MB)`,
      );
    }
  }
  return lines.map((text) => `[    0.000000] ${text}`);
}

/** Events as a tracer prints them, one call after the other, each in the task of its CPU. */
export function asText(reading: Reading, shape: Shape, style: Style): string {
  const lines = bootLog(reading);
  let seconds = 5;
  for (const event of reading.events) {
    const place: Partial<Place> = { task: `wl/${event.cpu}`, pid: 100 + event.cpu, cpu: event.cpu };
    for (const body of bodiesOf(event, reading, style)) {
      seconds += 0.00001;
      lines.push(recordLine(shape, body, { ...place, seconds }));
    }
  }
  return `${lines.join('\n')}\n`;
}
