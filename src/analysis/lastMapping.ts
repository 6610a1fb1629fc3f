import type { IommuMapFact } from '../events/logFacts.js';

/** Mappings that are remembered: a fault follows its mapping soon, and memory stays flat. */
const REMEMBERED = 1 << 16;

/** Remembers what an IOMMU was given, to find what a fault's address last belonged to. */
export interface MappingHistory {
  see(fact: IommuMapFact): void;
  /** In words: the mapping that last covered an address, and its unmap; undefined without any mappings. */
  lastCovering(address: bigint): string | undefined;
}

/** A history of the last 65536 mappings. The log does not tell domains apart, and neither can this. */
export function createMappingHistory(): MappingHistory {
  const ring: IommuMapFact[] = [];
  let count = 0;

  function find(op: IommuMapFact['op'], address: bigint): number {
    for (let back = count - 1; back >= Math.max(0, count - REMEMBERED); back--) {
      const { iova, size, op: other } = ring[back % REMEMBERED];
      if (other === op && iova <= address && address < iova + size) return back;
    }
    return -1;
  }

  return {
    see(fact) {
      ring[count++ % REMEMBERED] = fact;
    },
    lastCovering(address) {
      if (count === 0) return undefined;
      const mapped = find('map', address);
      const unmapped = find('unmap', address);
      if (mapped < 0 && unmapped < 0) return 'no mapping in the log covers it';
      const unmap = ring[unmapped % REMEMBERED];
      if (mapped < 0) return `unmapped in line ${unmap.line}; its mapping is not in the log`;
      const { iova, size, physAddr, line } = ring[mapped % REMEMBERED];
      const words =
        `last mapped in line ${line}: 0x${iova.toString(16)}-0x${(iova + size - 1n).toString(16)}` +
        ` to physical 0x${(physAddr ?? 0n).toString(16)}`;
      return unmapped > mapped
        ? `${words}, and unmapped in line ${unmap.line}: used after unmap`
        : `${words}, and not unmapped since`;
    },
  };
}
