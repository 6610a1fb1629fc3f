import type { DmaRow, IovaRow } from '../events/iommu.js';
import { BadField } from './iommuText.js';

/** Bytes of one mapping beyond which a row is not believed: a hostile one must not take hours. */
const MAX_SIZE = 2 ** 30;

/** Bytes that a write or a read of data may have. */
const MAX_DATA = 2 ** 24;

/** Granules or bytes of one range of device addresses. */
const MAX_RANGE = 2 ** 52;

function need(op: string, column: string, isThere: boolean): void {
  if (!isThere) throw new BadField(`${op} needs a value in column ${column}`);
}

function needSize(op: string, size: number, least: number, limit: number): void {
  need(op, 'size', !Number.isNaN(size));
  if (size < least || size > limit) {
    throw new BadField(`size ${size} of ${op} is not from ${least} to ${limit}`);
  }
}

/** What a row of an IOVA trace must have, by its op. */
export function checkIovaRow(row: IovaRow): IovaRow {
  const { op, id, size, limit, pfn, failed } = row;
  const hasResult = failed || !Number.isNaN(pfn);
  switch (op) {
    case 'alloc':
    case 'alloc_fast':
    case 'dma_alloc':
      need(op, 'id', !Number.isNaN(id));
      needSize(op, size, 1, MAX_RANGE);
      need(op, 'limit', !Number.isNaN(limit));
      need(op, 'iova', hasResult);
      break;
    case 'free':
    case 'free_fast':
    case 'dma_free':
      need(op, 'id', !Number.isNaN(id));
      needSize(op, size, 1, MAX_RANGE);
      need(op, 'iova', !Number.isNaN(pfn));
      break;
    case 'reserve':
      needSize(op, size, 1, MAX_RANGE);
      need(op, 'iova', hasResult);
      break;
    case 'depot_work':
      needSize(op, size, 0, 5);
      need(op, 'iova', hasResult);
      break;
    default:
      break;
  }
  return row;
}

/** Columns that an op takes its arguments from; an address that is not given is where the id's mapping begins. */
const ARGUMENTS: Record<DmaRow['op'], string> = {
  map_page: 'id phys size dir',
  unmap_page: 'id size dir',
  map_sg: 'id list dir',
  unmap_sg: 'id dir',
  sync_single_cpu: 'id size dir',
  sync_single_dev: 'id size dir',
  sync_sg_cpu: 'id dir',
  sync_sg_dev: 'id dir',
  cpu_write: 'phys data',
  cpu_read: 'phys data',
  dev_write: 'data',
  dev_read: 'data',
  alloc: 'id size',
  free: 'id size',
  iova_alloc: 'id phys size',
  iova_link: 'id phys size dir',
  iova_unlink: 'id range dir',
  iova_destroy: 'id range dir',
  fq_timeout: '',
};

/** What a row of a dma-iommu trace must have, by its op. */
export function checkDmaRow(row: DmaRow): DmaRow {
  const { op, id, phys, size, dir } = row;
  const checks: Record<string, () => void> = {
    id: () => need(op, 'id', !Number.isNaN(id)),
    phys: () => need(op, 'phys', phys.length > 0),
    dir: () => need(op, 'dir', !Number.isNaN(dir)),
    size: () => needSize(op, size, 1, MAX_SIZE),
    range: () => needSize(op, size, 0, MAX_SIZE),
    data: () => needSize(op, size, 0, MAX_DATA),
    list: () => {
      need(op, 'phys', phys.length > 0);
      for (const { length } of phys) needSize(op, length, 1, MAX_SIZE);
    },
  };
  for (const name of ARGUMENTS[op].split(' ')) checks[name]?.();
  return row;
}
