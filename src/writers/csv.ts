import {
  BIDIRECTIONAL,
  DIR_NAMES,
  type EventBatch,
  OP_NAMES,
  Op,
  Recorded,
} from '../events/batch.js';
import type { DeviceDeclaration, Expectation, PoolDeclaration } from '../events/trace.js';
import type { CanonicalWriter, Declarations } from './canonical.js';
import { flagText, hexOf, maskText, timeText } from './text.js';

const HEADER = 'time,cpu,dev,op,orig_addr,size,alloc_size,alloc_align_mask,dir,tlb_addr,flags\n';

/** Writes the canonical CSV. @param nameOf a device's name, for its number; it holds no blanks, quotes or commas */
export function csvWriter(nameOf: (device: number) => string): CanonicalWriter {
  return {
    head: (declarations) => headText(declarations, nameOf),
    events(batch, from, to) {
      let text = '';
      for (let n = from; n < to; n++) text += rowText(batch, n, nameOf);
      return text;
    },
    end: (expectations) => expectations.map(expectText).join(''),
  };
}

function headText(
  { kernel, pageSize, dynamic, pools, devices, comments, lost }: Declarations,
  nameOf: (device: number) => string,
): string {
  const version = kernel === undefined ? '' : ` version=${kernel}`;
  const lines = [
    '#swiotlb-trace 1',
    ...comments.map((comment) => `# ${comment}`),
    `#kernel${version} page_size=${pageSize} dynamic=${dynamic ? 1 : 0}`,
    ...lost.map((events) => (Number.isNaN(events) ? '#lost' : `#lost events=${events}`)),
    ...pools.map(poolText),
    ...devices.flatMap((device, n) => (device ? [deviceText(device, nameOf(n))] : [])),
  ];
  return `${lines.join('\n')}\n${HEADER}`;
}

function poolText({
  name,
  base,
  nslabs,
  areas,
  startIndexes,
  indexKnowledge,
  restricted,
}: PoolDeclaration): string {
  const index = indexKnowledge === 'given' ? ` index=${startIndexes.join(':')}` : '';
  const own = restricted ? ' restricted=1' : '';
  return `#pool name=${name} base=${hexOf(base)} nslabs=${nslabs} areas=${areas}${index}${own}`;
}

function deviceText(
  { minAlignMask = 0, segBoundaryMask, dmaMask, pool }: DeviceDeclaration,
  name: string,
): string {
  const boundary =
    segBoundaryMask === undefined ? '' : ` seg_boundary_mask=${maskText(segBoundaryMask)}`;
  const reach = dmaMask === undefined ? '' : ` dma_mask=${maskText(dmaMask)}`;
  const own = pool === undefined ? '' : ` pool=${pool}`;
  return `#device name=${name} min_align_mask=${hexOf(minAlignMask)}${boundary}${reach}${own}`;
}

/** One row: the hot loop of every conversion. */
function rowText(batch: EventBatch, n: number, nameOf: (device: number) => string): string {
  const op = batch.op[n];
  const size = batch.size[n];
  const allocSize = batch.allocSize[n];
  const alignMask = batch.allocAlignMask[n];
  const dir = batch.dir[n];
  return (
    `${timeText(batch.time[n])},${batch.cpu[n]},${op === Op.grow ? '' : nameOf(batch.device[n])},${OP_NAMES[op]},` +
    `${origAddrText(batch, n)},${Number.isNaN(size) ? '' : size},` +
    `${Number.isNaN(allocSize) || allocSize === size ? '' : allocSize},` +
    `${alignMask === 0 ? '' : hexOf(alignMask)},${dir === BIDIRECTIONAL ? '' : DIR_NAMES[dir]},` +
    `${resultText(batch, n)},${flagText(batch.flag[n], batch.flagValue[n], batch.look[n])}\n`
  );
}

function origAddrText(batch: EventBatch, n: number): string {
  const op = batch.op[n];
  return op === Op.map || op === Op.grow ? hexOf(batch.origAddr[n]) : '';
}

function resultText(batch: EventBatch, n: number): string {
  switch (batch.recorded[n]) {
    case Recorded.address:
      return hexOf(batch.tlbAddr[n]);
    case Recorded.full:
      return 'full';
    case Recorded.hang:
      return 'hang';
    default:
      return '';
  }
}

function expectText({ pool, used, usedHiwater, index }: Omit<Expectation, 'line'>): string {
  const words = [
    pool === undefined ? '' : ` pool=${pool}`,
    used === undefined ? '' : ` used=${used}`,
    usedHiwater === undefined ? '' : ` used_hiwater=${usedHiwater}`,
    index === undefined ? '' : ` index=${index.join(':')}`,
  ];
  return `#expect${words.join('')}\n`;
}
