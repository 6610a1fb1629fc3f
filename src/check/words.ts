import { OP_NAMES } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import { addressOf, nslotsOf, offsetOf, opOf, sizeOf, slotOf } from '../replay/allocations.js';
import type { Session } from '../replay/session.js';

/** `4 KiB`, `8192 bytes`: the shorter exact way to say a size. */
export function sizeWords(bytes: number): string {
  if (bytes >= 1024 && bytes % (1024 * 1024) === 0) return `${bytes / (1024 * 1024)} MiB`;
  if (bytes >= 1024 && bytes % 1024 === 0) return `${bytes / 1024} KiB`;
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}

/** `slot 5`, `slots 5-8`. */
export function slotWords(slot: number, nslots: number): string {
  return nslots === 1 ? `slot ${slot}` : `slots ${slot}-${slot + nslots - 1}`;
}

/** `0x1000-0x1fff`: a range of addresses, both ends in it. */
export function rangeWords(from: number, bytes: number): string {
  return `${hex(from)}-${hex(from + bytes - 1)}`;
}

/** One allocation of a session: `4 KiB map: slots 5-6, 0x80002800-0x800037ff`. */
export function allocationWords(session: Session, number: number): string {
  const { allocations } = session;
  const start = addressOf(allocations, number) - offsetOf(allocations, number);
  const nslots = nslotsOf(allocations, number);
  return (
    `${sizeWords(sizeOf(allocations, number))} ${OP_NAMES[opOf(allocations, number)]}:` +
    ` ${slotWords(slotOf(allocations, number), nslots)},` +
    ` ${rangeWords(start, nslots * IO_TLB_SIZE)}`
  );
}
