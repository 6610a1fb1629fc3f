import { hex } from '../events/numbers.js';
import type { PoolDeclaration, TraceInfo } from '../events/trace.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';

/** The fields of a debug line that tell where its pool lies. */
interface PlacedSlot {
  origAddr: number;
  firstSlot: number;
  nslabs: number;
  tlbAddr: number;
}

/** Finds pools from slots and addresses. */
export interface PoolInference {
  /**
   * Declares the pool of a device from the first line about it, and holds later lines against it.
   * @returns undefined, or how the line disagrees
   */
  place(device: number, line: number, slot: PlacedSlot): string | undefined;
}

/**
 * A slot's number and address give the pool's base, and every line of a device must give the same
 * one: a device allocates from one pool.
 */
export function createPoolInference(info: TraceInfo): PoolInference {
  const poolOf: { pool: PoolDeclaration; line: number }[] = [];

  function declare(line: number, base: number, slot: PlacedSlot): PoolDeclaration {
    const restricted = slot.origAddr === 0;
    const pool: PoolDeclaration = {
      name: `${restricted ? 'restricted' : 'pool'}${info.pools.length}`,
      base,
      nslabs: slot.nslabs,
      areas: 1,
      startIndexes: [],
      indexKnowledge: 'unknown',
      restricted,
    };
    info.pools.push(pool);
    info.assumptions.push({
      line,
      message:
        `pool ${pool.name}: base ${hex(base)}, from slot ${slot.firstSlot} at ${hex(slot.tlbAddr)};` +
        ' one area; empty when the trace begins',
    });
    return pool;
  }

  return {
    place(device, line, slot) {
      const { firstSlot, nslabs, tlbAddr } = slot;
      const base = tlbAddr - (tlbAddr & (IO_TLB_SIZE - 1)) - firstSlot * IO_TLB_SIZE;
      const known = poolOf[device];
      if (known === undefined) {
        const pool =
          info.pools.find((p) => p.base === base && p.nslabs === nslabs) ??
          declare(line, base, slot);
        pool.restricted ||= slot.origAddr === 0;
        poolOf[device] = { pool, line };
        info.devices[device].pool = pool.name;
        return undefined;
      }
      if (known.pool.nslabs !== nslabs) {
        return `a pool of ${nslabs} slots, but line ${known.line} says ${known.pool.nslabs} for this device`;
      }
      if (known.pool.base !== base) {
        return (
          `slot ${firstSlot} at ${hex(tlbAddr)} puts the pool at ${hex(base)},` +
          ` but line ${known.line} puts it at ${hex(known.pool.base)}`
        );
      }
      known.pool.restricted ||= slot.origAddr === 0;
      return undefined;
    },
  };
}
