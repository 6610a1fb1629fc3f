import type { ByteRange } from '../../dma/access.js';
import type { DeviceAddress } from '../../dma/device.js';
import type { DmaOutcome } from '../../replay/dmaIommu/session.js';
import { sizeWords } from '../words.js';
import type { DmaCheck } from './checks.js';
import { hasLinked, madeBy, partsMade } from './parts.js';
import { countWords, findingAt } from './words.js';

/** What a trusted device reaches beside its buffers. */
interface Shared {
  /** Mappings made, and those that share granules with other memory. */
  maps: number;
  sharing: number;
  /** The most bytes beside one mapping, and the most pages none of which is its. */
  bytes: number;
  pages: number;
  line: number;
  address: DeviceAddress | undefined;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** What a row mapped for a trusted device, as it lies in memory. */
function memoryOf(outcome: DmaOutcome): ByteRange[] {
  if (hasLinked(outcome)) return partsMade(outcome).map(({ data }) => data);
  const made = madeBy(outcome);
  if (made === undefined) return [];
  // Pages of its own, zeroed: what rounding to a page adds is nobody's.
  return made.buffer?.blocks ?? made.owned;
}

/**
 * `granule-exposure`, as a note, of trusted devices: granules that their buffers share with other
 * memory, which is as the kernel means it. One note a device, at the end.
 */
export const createTrustedCheck: DmaCheck = (session, tell) => {
  const { devices, system } = session.player;
  const all = new Map<number, Shared>();

  /** Bytes and whole pages in a range's granules that are not the range's. */
  function beside({ start, length }: ByteRange, granule: number): [bytes: number, pages: number] {
    const { pageSize } = system;
    const end = start + length;
    const first = start - (start % granule);
    const last = roundUp(end, granule);
    const front = start - (start % pageSize) - first;
    const back = last - roundUp(end, pageSize);
    const pages = granule > pageSize ? (front + back) / pageSize : 0;
    return [last - first - length, pages];
  }

  return {
    onRow(outcome) {
      const { row, mapping } = outcome;
      const { table, untrusted } = devices[row.device];
      if (untrusted) return;
      const memory = memoryOf(outcome);
      if (memory.length === 0) return;
      const none = { maps: 0, sharing: 0, bytes: 0, pages: 0, line: row.line, address: undefined };
      const seen: Shared = all.get(row.device) ?? none;
      all.set(row.device, seen);
      let bytes = 0;
      let pages = 0;
      for (const range of memory) {
        const [more, unrelated] = beside(range, table.granule);
        bytes += more;
        pages += unrelated;
      }
      seen.maps++;
      if (bytes === 0) return;
      if (seen.sharing++ === 0) {
        seen.line = row.line;
        const address = mapping?.address ?? mapping?.segments[0]?.address;
        seen.address = address && { ...address };
      }
      seen.bytes = Math.max(seen.bytes, bytes);
      seen.pages = Math.max(seen.pages, pages);
    },

    atEnd() {
      for (const [device, { maps, sharing, bytes, pages, line, address }] of all) {
        if (sharing === 0) continue;
        const { granule } = devices[device].table;
        const unrelated = pages === 0 ? '' : `, and up to ${countWords(pages, 'whole page')} of it`;
        tell(
          findingAt(session, { line, device }, 'granule-exposure', {
            address,
            level: 'note',
            message:
              `${sharing} of ${countWords(maps, 'mapping')} of this trusted device share granules of` +
              ` ${sizeWords(granule)} with other memory, this one first: up to ${sizeWords(bytes)}` +
              ` beside a buffer${unrelated}`,
          }),
        );
      }
    },
  };
};
