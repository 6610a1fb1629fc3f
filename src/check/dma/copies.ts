import { isBounced } from '../../dma/bounce.js';
import { leadsTo } from '../../dma/mapping.js';
import { isFromDevice, isToDevice } from '../../dma/system.js';
import type { DmaRow } from '../../events/iommu.js';
import { addressIn, addressWords, type Mapping } from '../../replay/dmaIommu/player.js';
import { sizeWords } from '../words.js';
import type { DmaCheck } from './checks.js';
import { bouncedParts, isWithin, startOf } from './parts.js';
import { callWords, countWords, findingAt } from './words.js';

/**
 * `lost-sync` and `double-copy`: how often a call copied between bounce buffers and theirs, against how
 * often it should have. What a call's direction has no copy for is not missed.
 */
export const createCopyCheck: DmaCheck = (session, tell) => {
  const { player, release } = session;
  const { devices, system } = player;

  function mapped({ line }: Mapping): { line: number; message: string }[] {
    return [{ line, message: 'mapped here' }];
  }

  /** Bounce buffers that a sync is for. */
  function syncedParts(row: DmaRow, mapping: Mapping): number {
    if (row.op.startsWith('sync_sg')) return bouncedParts(session, mapping);
    const device = devices[row.device];
    const address = addressIn(player, row);
    if (address === undefined || !(row.size > 0)) return 0;
    if (!isWithin(mapping, address, row.size, device.table.granule)) return 0;
    return isBounced(device, leadsTo(device, address)) ? 1 : 0;
  }

  function tellLost(row: DmaRow, mapping: Mapping, parts: number, copies: number): void {
    const { strayCopies, warnings } = system.effects;
    const isSg = row.op.startsWith('sync_sg');
    const address = isSg ? startOf(mapping) : addressIn(player, row);
    const at = address === undefined ? '' : ` at ${words(row, address)}`;
    const lost = parts - copies + strayCopies;
    const what = isSg ? `${lost} of ${countWords(parts, 'bounce buffer')}` : 'the bounce buffer';
    let why = '';
    if (strayCopies > 0) why = ': the copy goes to an address 4 GiB off';
    else if (warnings > 0) why = ': the kernel warns, and refuses it';
    else if (isSg && !release.dma.syncSgByAddress) {
      why = `: ${release.name} looks for it at the original address`;
    }
    tell(
      findingAt(session, row, 'lost-sync', {
        address,
        message: `${callWords(row)}${at} copies nothing ${isForCpu(row) ? 'from' : 'to'} ${what}${why}`,
        related: mapped(mapping),
      }),
    );
  }

  function words(row: DmaRow, address: { pfn: number; offset: number }): string {
    return addressWords(address, devices[row.device].table.granule);
  }

  function checkTwice(row: DmaRow, mapping: Mapping, parts: number): void {
    const { copiesIn, bytesIn, copiesOut, bytesOut } = system.effects;
    const isIn = row.op.endsWith('_dev');
    const copies = isIn ? copiesIn : copiesOut;
    if (parts === 0 || copies <= parts) return;
    tell(
      findingAt(session, row, 'double-copy', {
        address: startOf(mapping),
        message:
          `${callWords(row)} copies ${sizeWords(isIn ? bytesIn : bytesOut)} in ${countWords(copies, 'copy', 'copies')}` +
          ` for ${countWords(parts, 'bounce buffer')}: the same bytes more than once`,
        related: mapped(mapping),
      }),
    );
  }

  return {
    onRow({ row, call, mapping }) {
      if (mapping === undefined) return;
      if (call.copiesBack) {
        if (system.effects.copiesOut > 1) checkTwice(row, mapping, bouncedParts(session, mapping));
      } else if (call.isSync) {
        const { copiesIn, copiesOut, strayCopies } = system.effects;
        const isDue = isForCpu(row) ? isFromDevice(row.dir) : isToDevice(row.dir);
        if (!isDue) return;
        const parts = syncedParts(row, mapping);
        const copies = isForCpu(row) ? copiesOut : copiesIn;
        if (copies < parts || strayCopies > 0) tellLost(row, mapping, parts, copies);
        checkTwice(row, mapping, parts);
      }
    },
  };
};

function isForCpu({ op }: DmaRow): boolean {
  return op.endsWith('_cpu');
}
