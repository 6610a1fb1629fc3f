import type { DeviceAddress } from '../../dma/device.js';
import type { DmaRow } from '../../events/iommu.js';
import { addressWords } from '../../replay/dmaIommu/player.js';
import type { DmaSession } from '../../replay/dmaIommu/session.js';
import type { Finding, Level, Related } from '../finding.js';
import { RULES, type RuleId } from '../rules.js';
import { sizeWords } from '../words.js';

/** What a finding says besides its rule. */
export interface Told {
  /** The device address that it is about. */
  address: DeviceAddress | undefined;
  message: string;
  related?: Related[];
  /** Another level than the rule's. */
  level?: Level;
}

/** A finding at a row. Its address is that of the device, where a number holds it exactly. */
export function findingAt(
  { player }: DmaSession,
  { line, device }: Pick<DmaRow, 'line' | 'device'>,
  rule: RuleId,
  { address, message, related = [], level = RULES[rule].level }: Told,
): Finding {
  const { name, table } = player.devices[device];
  const number = address === undefined ? Number.NaN : address.pfn * table.granule + address.offset;
  return {
    rule,
    level,
    line,
    device: name,
    message,
    address: Number.isSafeInteger(number) ? number : undefined,
    related,
  };
}

/** Granules as device addresses, both ends in it: `0xffffd000-0xffffdfff`. */
export function granuleWords(lo: number, hi: number, granule: number): string {
  const first = addressWords({ pfn: lo, offset: 0 }, granule);
  return `${first}-${addressWords({ pfn: hi, offset: granule - 1 }, granule)}`;
}

/** `map_page of 9000 bytes`, `unmap_sg of 3 entries`. */
export function callWords({ op, size }: DmaRow): string {
  if (Number.isNaN(size)) return op;
  if (!op.endsWith('_sg') && !op.includes('_sg_')) return `${op} of ${sizeWords(size)}`;
  return `${op} of ${countWords(size, 'entry', 'entries')}`;
}

/** `1 granule`, `3 granules`. */
export function countWords(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
