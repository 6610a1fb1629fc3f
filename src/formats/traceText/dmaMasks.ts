import { type EventBatch, Op, Recorded } from '../../events/batch.js';
import { hex } from '../../events/numbers.js';
import type { TraceInfo } from '../../events/trace.js';

/**
 * The drivers that call dma_set_min_align_mask(), NVMe's and storvsc, ask for pages of 4 KiB; a few maps
 * alone would suggest more by chance.
 */
const LARGEST_MASK = 0xfff;

/** What the maps of one device show. */
interface Evidence {
  line: number;
  /** Low bits of original addresses that are in the result, and that are not, or the other way round. */
  kept: number;
  lost: number;
}

/**
 * The stock events do not print a device's min_align_mask: it is the low bits that every map of a
 * first batch keeps from the original address, as far as an original address has such bits.
 */
export function inferMinAlignMasks(batch: EventBatch, info: TraceInfo): void {
  const seen = new Map<number, Evidence>();
  for (let n = 0; n < batch.length; n++) {
    if (batch.op[n] !== Op.map || batch.recorded[n] !== Recorded.address) continue;
    const device = batch.device[n];
    const evidence = seen.get(device) ?? { line: batch.line[n], kept: 0, lost: 0 };
    seen.set(device, evidence);
    evidence.kept |= batch.origAddr[n] & batch.tlbAddr[n] & LARGEST_MASK;
    evidence.lost |= (batch.origAddr[n] ^ batch.tlbAddr[n]) & LARGEST_MASK;
  }
  for (const [number, { line, kept, lost }] of seen) {
    const device = info.devices[number];
    if (device.minAlignMask !== undefined) continue;
    const limit = lost === 0 ? LARGEST_MASK : (lost & -lost) - 1;
    // Without a mask, slots of both parities would come up: what is never lost is kept on purpose.
    device.minAlignMask = (kept & limit) === 0 ? 0 : limit;
    info.assumptions.push({
      line,
      message: `device ${device.name}: min_align_mask ${hex(device.minAlignMask)}, from the addresses; --device says otherwise`,
    });
  }
}
