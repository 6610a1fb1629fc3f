import { DMA_OPS, type DmaRow } from '../../events/iommu.js';

type Op = DmaRow['op'];

/** What an op is. Found once a row, where a set of words for each question would cost a search each. */
export interface DmaCall {
  /** Its number in DMA_OPS. */
  number: number;
  /** The call that ends what this one makes; undefined for calls that make nothing. */
  endedBy: Op | undefined;
  /** Nothing has its id afterwards. */
  ends: boolean;
  /** What its id had mapped is unmapped afterwards. */
  unmaps: boolean;
  /** It needs what its id names. */
  uses: boolean;
  /** It is about no mapping that is there before. */
  isFresh: boolean;
  /** It copies each bounced stretch of its mapping back once. */
  copiesBack: boolean;
  /** It brings data into a bounce buffer that is mapped already. */
  bringsData: boolean;
  isSync: boolean;
  /** It is about a list. */
  isSg: boolean;
  /** A device reads or writes. */
  isAccess: boolean;
}

const ENDED_BY: Partial<Record<Op, Op>> = {
  map_page: 'unmap_page',
  map_sg: 'unmap_sg',
  alloc: 'free',
  iova_alloc: 'iova_destroy',
};

const BRINGS_DATA: readonly Op[] = ['sync_single_dev', 'sync_sg_dev', 'dev_write'];

function callOf(op: Op, number: number): DmaCall {
  const ends = Object.values(ENDED_BY).includes(op);
  const isSync = op.startsWith('sync_');
  const isAccess = op === 'dev_read' || op === 'dev_write';
  return {
    number,
    endedBy: ENDED_BY[op],
    ends,
    unmaps: ends || op === 'iova_unlink',
    uses: ends || isSync || isAccess || op === 'iova_link' || op === 'iova_unlink',
    isFresh: ENDED_BY[op] !== undefined || op === 'cpu_write' || op === 'cpu_read',
    copiesBack: ends && op !== 'free',
    bringsData: BRINGS_DATA.includes(op),
    isSync,
    isSg: op.includes('_sg'),
    isAccess,
  };
}

/** Every op. */
export const CALLS = Object.fromEntries(
  DMA_OPS.map((op, number) => [op, callOf(op, number)]),
) as Record<Op, DmaCall>;
