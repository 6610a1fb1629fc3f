import { DMA_OPS, type DmaRow, type IovaRow } from '../events/iommu.js';
import { BadField } from './iommuText.js';

/** Bytes of one mapping beyond which a row is not believed: a hostile one must not take hours. */
const MAX_SIZE = 2 ** 30;

/** Bytes that a write or a read of data may have. */
const MAX_DATA = 2 ** 24;

/** Granules or bytes of one range of device addresses. */
const MAX_RANGE = 2 ** 52;

function lack(op: string, column: string): string {
  return `${op} needs a value in column ${column}`;
}

function sizeProblem(op: string, size: number, least: number, limit: number): string | undefined {
  if (Number.isNaN(size)) return lack(op, 'size');
  const isIn = size >= least && size <= limit;
  return isIn ? undefined : `size ${size} of ${op} is not from ${least} to ${limit}`;
}

function need(op: string, column: string, isThere: boolean): void {
  if (!isThere) throw new BadField(lack(op, column));
}

function needSize(op: string, size: number, least: number, limit: number): void {
  const problem = sizeProblem(op, size, least, limit);
  if (problem !== undefined) throw new BadField(problem);
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

/** What a row must have. */
interface Needs {
  id: boolean;
  phys: boolean;
  /** Each piece of phys has a length. */
  lengths: boolean;
  /** Bounds of its size; undefined where it needs none. */
  size: { least: number; most: number } | undefined;
  dir: boolean;
}

function needsOf(names: readonly string[]): Needs {
  const least = names.includes('size') ? 1 : 0;
  const hasSize = ['size', 'range', 'data'].some((name) => names.includes(name));
  return {
    id: names.includes('id'),
    phys: names.includes('phys') || names.includes('list'),
    lengths: names.includes('list'),
    size: hasSize ? { least, most: names.includes('data') ? MAX_DATA : MAX_SIZE } : undefined,
    dir: names.includes('dir'),
  };
}

const NEEDS = Object.fromEntries(
  Object.entries(ARGUMENTS).map(([op, names]) => [op, needsOf(names.split(' '))]),
) as Record<DmaRow['op'], Needs>;

/** What rows of each op must have, by its number in DMA_OPS. */
export const DMA_NEEDS: readonly Needs[] = DMA_OPS.map((op) => NEEDS[op]);

/** What is wrong with a row of a dma-iommu trace, by its op; undefined where nothing is. */
export function problemOfDmaRow(
  { op, id, phys, size, dir }: DmaRow,
  needs = NEEDS[op],
): string | undefined {
  if (needs.id && Number.isNaN(id)) return lack(op, 'id');
  if (needs.phys && phys.length === 0) return lack(op, 'phys');
  if (needs.lengths) {
    for (const { length } of phys) {
      const problem = sizeProblem(op, length, 1, MAX_SIZE);
      if (problem !== undefined) return problem;
    }
  }
  if (needs.size !== undefined) {
    const problem = sizeProblem(op, size, needs.size.least, needs.size.most);
    if (problem !== undefined) return problem;
  }
  return needs.dir && Number.isNaN(dir) ? lack(op, 'dir') : undefined;
}
