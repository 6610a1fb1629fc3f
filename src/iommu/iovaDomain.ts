import { roundUpPowerOfTwo } from '../kernel/constants.js';
import type { IovaPolicy } from '../kernel/iommuRelease.js';
import { createFlushQueue, type FlushQueue, queueRange, runFlushTimer } from './flushQueue.js';
import { allocRange, createIovaTree, freeRange, type IovaTree, NO_PFN } from './iovaTree.js';
import {
  createMagazines,
  type DepotWork,
  emptyAll,
  isCached,
  type Magazines,
  nextDepotWork,
  putCached,
  runDepotWork,
  takeCached,
} from './magazines.js';

/** What sets a domain up; the device is the one that it was made for. */
export interface DomainSetup {
  /** Bytes of the smallest IOMMU page. */
  granule: number;
  /** The lowest pfn that is handed out. */
  startPfn: number;
  /** CPUs that are online. */
  cpus: number;
  /** Frees pass through the flush queue (iommu.strict=0). */
  lazy: boolean;
  /** The device is PCI: addresses below 4 GiB are tried first. */
  pci: boolean;
  /** iommu.forcedac=1: they are not, from v5.13 on. */
  forcedac: boolean;
  /** Last byte of an aperture that is enforced; Infinity for none. */
  apertureEnd: number;
  /** Last byte that the bus reaches (bus_dma_limit); Infinity for all. */
  busDmaLimit: number;
}

/** An IOVA domain as dma-iommu uses it. */
export interface IovaDomain {
  setup: DomainSetup;
  tree: IovaTree;
  magazines: Magazines;
  queue: FlushQueue;
  /** Addresses below 4 GiB are tried first; from v6.4 on, until that fails once. */
  triesBelow4G: boolean;
}

/** A timer or delayed work of a domain that ran. */
export type TimerEvent =
  | { kind: 'flush-timeout'; cpu: number; time: number }
  | ({ kind: 'depot-work' } & DepotWork);

/** Last byte below 4 GiB. */
const LAST_BELOW_4G = 2 ** 32 - 1;

/** An empty domain (iommu_dma_init_domain()). */
export function createIovaDomain(policy: IovaPolicy, setup: DomainSetup): IovaDomain {
  const tree = createIovaTree(policy, setup.granule, setup.startPfn);
  return {
    setup,
    tree,
    magazines: createMagazines(tree, setup.cpus),
    queue: createFlushQueue(),
    triesBelow4G: setup.pci && !(setup.forcedac && policy.dac !== 'always-below-4g-first'),
  };
}

/**
 * Allocates from the caches, else from the tree (alloc_iova_fast()). Pfn 0 stays allocated and counts
 * as a failure: the kernel's function returns 0 for both.
 * @param size pfns
 * @param lastAllowed highest pfn that may be used
 * @param flushes whether a failure empties the caches and tries once more
 * @returns the first pfn, or NO_PFN
 */
export function allocFast(
  domain: IovaDomain,
  cpu: number,
  size: number,
  lastAllowed: number,
  flushes: boolean,
): number {
  const { magazines, tree } = domain;
  const taken = tree.policy.roundsFastSizes ? roundCachedSize(size) : size;
  const cached = takeCached(magazines, cpu, taken, lastAllowed);
  if (cached > 0) return cached;
  let found = allocRange(tree, taken, lastAllowed, true);
  if (found === NO_PFN && flushes) {
    emptyAll(magazines);
    found = allocRange(tree, taken, lastAllowed, true);
  }
  return found > 0 ? found : NO_PFN;
}

/**
 * What a size becomes on its way through the caches: sizes that are cached share their power of two, or
 * ranges would be handed out as longer than they are.
 */
export function roundCachedSize(size: number): number {
  return isCached(size) ? roundUpPowerOfTwo(size) : size;
}

/** Gives a range to the caches, or to the tree (free_iova_fast()); `size` in pfns as its owner states it. */
export function freeFast(
  domain: IovaDomain,
  cpu: number,
  pfn: number,
  size: number,
  now: number,
): void {
  if (!putCached(domain.magazines, cpu, pfn, size, now)) freeRange(domain.tree, pfn);
}

/** Highest pfn that a device's mask, its bus and the aperture allow. */
export function lastPfnFor({ setup, tree }: IovaDomain, dmaMask: number): number {
  const last = Math.min(dmaMask, setup.busDmaLimit, setup.apertureEnd);
  return last === Number.POSITIVE_INFINITY ? tree.lastPfn : Math.floor(last / setup.granule);
}

/**
 * Allocates device addresses for a mapping (iommu_dma_alloc_iova()).
 * @param size pfns
 * @param dmaMask last byte that the device reaches; Infinity for 64 bits
 * @returns the first pfn, or NO_PFN
 */
export function dmaAllocIova(
  domain: IovaDomain,
  cpu: number,
  size: number,
  dmaMask: number,
): number {
  const { tree } = domain;
  const asked = tree.policy.roundsFastSizes ? size : roundCachedSize(size);
  const last = lastPfnFor(domain, dmaMask);
  if (domain.triesBelow4G && isAbove4G(domain, dmaMask)) {
    const low = allocFast(domain, cpu, asked, tree.pfn32 - 1, false);
    if (low !== NO_PFN) return low;
    // 791c2b17fb40: whoever ran out of addresses below 4 GiB once is not sent there again.
    if (tree.policy.dac === 'below-4g-until-failure') domain.triesBelow4G = false;
  }
  return allocFast(domain, cpu, asked, last, true);
}

/** Whether a device may use addresses from 4 GiB on at all. */
function isAbove4G({ setup }: IovaDomain, dmaMask: number): boolean {
  return Math.min(dmaMask, setup.busDmaLimit, setup.apertureEnd) > LAST_BELOW_4G;
}

/** Gives a mapping's device addresses back, or queues them in a lazy domain (iommu_dma_free_iova()). */
export function dmaFreeIova(
  domain: IovaDomain,
  cpu: number,
  pfn: number,
  size: number,
  now: number,
): void {
  if (!domain.setup.lazy) {
    freeFast(domain, cpu, pfn, size, now);
    return;
  }
  queueRange(domain.queue, cpu, pfn, size, now, (on, freed, pfns) =>
    freeFast(domain, on, freed, pfns, now),
  );
}

/** Milliseconds at which the domain's next timer or work is due; Infinity where none is armed. */
export function nextTimer({ queue, magazines }: IovaDomain): number {
  return Math.min(queue.due, magazines.due);
}

/** Runs the domain's next timer or work; one must be armed. */
export function runTimer(domain: IovaDomain): TimerEvent {
  const { queue, magazines } = domain;
  const work = nextDepotWork(magazines);
  if (work === undefined || queue.due <= work.due) {
    const time = queue.due;
    runFlushTimer(queue, (cpu, pfn, size) => freeFast(domain, cpu, pfn, size, time));
    return { kind: 'flush-timeout', cpu: queue.armedBy, time };
  }
  return { kind: 'depot-work', ...runDepotWork(magazines, work) };
}
