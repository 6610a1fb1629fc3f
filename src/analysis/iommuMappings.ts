import type { IommuRecord, PageRange } from '../events/iommuRecords.js';
import { emptyFacts, type IommuFacts, keep } from './iommuFacts.js';
import { createIommuHistory } from './iommuHistory.js';
import {
  covers,
  createOwner,
  type Made,
  type Mapping,
  type Owner,
  overlapIn,
  overlapsOf,
  put,
  take,
  takeFrom,
} from './iommuOwners.js';
import { causeOfFault, granuleWith, lengthOf, overlap, PAGE, within } from './iommuPages.js';

type Of<K extends IommuRecord['kind']> = Extract<IommuRecord, { kind: K }>;

/** Follows what a trace says about page tables. */
export interface IommuWatch {
  see(record: IommuRecord): void;
  /** What was seen; undefined where no iommu:* record was. Nothing may follow. */
  facts(): IommuFacts | undefined;
}

/** What is known of a task's calls. */
interface TaskCalls {
  /** The device whose pages are about to be mapped. */
  mapping: { device: string; pages: PageRange } | undefined;
  /** The bounce buffer that is about to be mapped. */
  bounce: { device: string; slot: number; size: number } | undefined;
  /** The device that unmaps. */
  unmapping: { device: string; pages: PageRange } | undefined;
  /** Maps whose device the next records may tell. */
  unnamed: { pages: PageRange; line: number }[];
  /** An unmap that several domains could be meant by, until the next record tells. */
  undecided: Of<'unmap'> | undefined;
}

/** Maps of one call; a list of buffers has at most so many pieces that are looked after. */
const MAX_UNNAMED = 256;

/** Devices that are told apart; a machine has hundreds. */
const MAX_OWNERS = 1024;

/**
 * Watches page tables by iommu:map, iommu:unmap and iommu:io_page_fault. The first two name no device,
 * and every domain has the same addresses: what is said of a device rests on records of the same
 * task that name it, and what can be meant in two ways is counted and not claimed. Memory is bounded
 * by what is mapped at a time.
 */
export function watchIommu(): IommuWatch {
  const unknown = createOwner('');
  const owners = new Map<string, Owner>([['', unknown]]);
  const tasks = new Map<number, TaskCalls>();
  const history = createIommuHistory();
  const facts = emptyFacts();
  /** Counted by what the records say, so that it is right where whose pages they are is not known. */
  let mappedPages = 0;

  function ownerOf(device: string): Owner {
    let owner = owners.get(device);
    if (owner === undefined) {
      if (owners.size >= MAX_OWNERS) return unknown;
      owner = createOwner(device);
      owners.set(device, owner);
    }
    return owner;
  }

  function callsOf(task: number): TaskCalls {
    let calls = tasks.get(task);
    if (calls === undefined) {
      calls = {
        mapping: undefined,
        bounce: undefined,
        unmapping: undefined,
        unnamed: [],
        undecided: undefined,
      };
      tasks.set(task, calls);
    }
    return calls;
  }

  /** The device of a map, if a record before it names one; '' if not. */
  function deviceOfMap(calls: TaskCalls, { pages, phys }: Of<'map'>): string {
    const { mapping, bounce } = calls;
    if (bounce !== undefined && Math.floor(bounce.slot / PAGE) * PAGE === phys) {
      facts.bounced.maps++;
      facts.bounced.bytes += bounce.size;
      facts.bounced.mapped += lengthOf(pages) * PAGE;
      calls.bounce = undefined;
      return bounce.device;
    }
    if (mapping === undefined || !within(pages, mapping.pages)) return '';
    // A call maps its pages from the first to the last.
    if (pages.last === mapping.pages.last) calls.mapping = undefined;
    return mapping.device;
  }

  function map(record: Of<'map'>, calls: TaskCalls): void {
    facts.maps++;
    mappedPages += lengthOf(record.pages);
    facts.granule = granuleWith(facts.granule, record);
    const owner = ownerOf(deviceOfMap(calls, record));
    if (owner === unknown) {
      if (calls.unnamed.length >= MAX_UNNAMED) calls.unnamed.shift();
      calls.unnamed.push({ pages: record.pages, line: record.line });
      if (holdersOf(record.pages).length > 0) facts.ambiguous.maps++;
      unknown.maps++;
      enter(unknown, record.pages, record);
    } else {
      if (overlapsOf(unknown, record.pages).length > 0) facts.ambiguous.maps++;
      enterOwned(owner, record.pages, record);
    }
    const now = mappedPages * PAGE;
    if (now > facts.mapped.peak) Object.assign(facts.mapped, { peak: now, peakLine: record.line });
  }

  function enter(owner: Owner, pages: PageRange, made: Made): void {
    if (!put(owner, pages, made)) facts.dropped++;
  }

  /** Maps pages in a page table that is known: what is mapped there already collides. */
  function enterOwned(owner: Owner, pages: PageRange, made: Made): void {
    facts.labelled++;
    owner.maps++;
    const [layer] = owner.layers;
    const there = overlapIn(layer, pages);
    if (there !== undefined) {
      const { line } = made;
      if (there.isDoubtful || isUndecided(pages)) facts.ambiguous.maps++;
      else keep(facts.collisions, { line, device: owner.device, pages, mappedLine: there.line });
      take(owner, layer, pages, () => {});
    }
    enter(owner, pages, made);
  }

  /** Whether an unmap of the pages is known, but not whose it is. */
  function isUndecided(pages: PageRange): boolean {
    for (const { undecided } of tasks.values()) {
      if (undecided !== undefined && overlap(undecided.pages, pages)) return true;
    }
    return false;
  }

  /** A record behind maps names their device. */
  function name({ device, pages }: Of<'mapped'>, calls: TaskCalls): void {
    const owner = ownerOf(device);
    if (owner === unknown) return;
    calls.unnamed = calls.unnamed.filter((map) => {
      if (!within(map.pages, pages)) return true;
      for (const layer of unknown.layers) {
        const mapping = overlapIn(layer, map.pages);
        if (mapping?.line !== map.line) continue;
        unknown.maps--;
        take(unknown, layer, map.pages, () => {});
        enterOwned(owner, map.pages, mapping);
        break;
      }
      return false;
    });
  }

  /** Who has any of the pages mapped. */
  function holdersOf(pages: PageRange): Owner[] {
    return [...owners.values()].filter((owner) => overlapsOf(owner, pages).length > 0);
  }

  /** Who an unmap can be meant by: those that had all of it, if there are any. */
  function candidatesOf({ pages: { first }, unmapped }: Of<'unmap'>): Owner[] {
    const pages = { first, last: first + unmapped - 1 };
    const holders = holdersOf(pages);
    const whole = holders.filter((owner) => covers(owner, pages));
    return whole.length > 0 ? whole : holders;
  }

  function unmap(record: Of<'unmap'>, calls: TaskCalls): void {
    const { pages, unmapped, line } = record;
    facts.unmaps++;
    const size = lengthOf(pages) * PAGE;
    if (unmapped * PAGE < size) {
      keep(facts.shortUnmaps, { line, pages, size, unmappedSize: unmapped * PAGE });
    }
    if (unmapped === 0) return;
    const { unmapping } = calls;
    calls.unmapping = undefined;
    if (unmapping !== undefined && overlap(unmapping.pages, pages)) {
      decide(record, ownerOf(unmapping.device));
    } else if (candidatesOf(record).length > 1) {
      calls.undecided = record;
    } else {
      decide(record, undefined);
    }
  }

  /** Unmaps for the owner that is named, or else for the one that can be meant. */
  function decide(record: Of<'unmap'>, named: Owner | undefined): void {
    const { pages } = record;
    let candidates = candidatesOf(record);
    if (named !== undefined) {
      // What a device has mapped may have been mapped without a word about it.
      const own = [named, unknown].find((owner) => overlapsOf(owner, pages).length > 0);
      candidates = own === undefined ? [] : [own];
    }
    if (candidates.length === 0) {
      facts.unseenUnmaps++;
      return;
    }
    const owner = candidates.reduce((a, b) => (newestOf(b, pages) > newestOf(a, pages) ? b : a));
    const isCertain = candidates.length === 1 && overlapsOf(owner, pages).length === 1;
    if (!isCertain) facts.ambiguous.unmaps++;
    for (const other of candidates.filter((each) => each !== owner)) doubt(other, pages);
    release(owner, record, isCertain);
  }

  function newestOf(owner: Owner, pages: PageRange): number {
    return Math.max(...overlapsOf(owner, pages).map(({ line }) => line));
  }

  function doubt(owner: Owner, pages: PageRange): void {
    for (const mapping of overlapsOf(owner, pages)) mapping.isDoubtful = true;
  }

  function release(owner: Owner, record: Of<'unmap'>, isCertain: boolean): void {
    const { pages, unmapped, line, time } = record;
    const { first } = pages;
    mappedPages = Math.max(0, mappedPages - unmapped);
    takeFrom(owner, { first, last: first + unmapped - 1 }, (taken, mapping) => {
      history.add(taken, {
        device: owner.device,
        mapLine: mapping.line,
        unmapLine: line,
        unmapTime: time,
        isCertain,
      });
    });
  }

  /** Decides about an unmap that waits, by what the next record of its task says. */
  function settle(calls: TaskCalls, record?: IommuRecord): void {
    const { undecided } = calls;
    if (undecided === undefined) return;
    calls.undecided = undefined;
    decide(undecided, record && namedBehind(undecided, record));
  }

  /** The owner that a record behind an unmap names. */
  function namedBehind({ pages }: Of<'unmap'>, record: IommuRecord): Owner | undefined {
    if (record.kind === 'unmapped') {
      return overlap(record.pages, pages) ? ownerOf(record.device) : undefined;
    }
    if (record.kind !== 'release') return undefined;
    const owner = ownerOf(record.device);
    const phys = Math.floor(record.slot / PAGE) * PAGE;
    const leadsThere = ({ lo, phys: to }: Mapping): boolean => lo === pages.first && to === phys;
    return overlapsOf(owner, pages).some(leadsThere) ? owner : undefined;
  }

  function fault(record: Of<'fault'>): void {
    const { line, device, driver, address, flags } = record;
    keep(facts.faults, {
      line,
      device,
      driver,
      address,
      flags,
      ...causeOfFault(record, owners.get(device), unknown, history),
    });
  }

  /** Another page table: whose the old mappings are is not known any more. */
  function attach(device: string): void {
    const owner = owners.get(device);
    if (owner === undefined || owner === unknown) return;
    const [layer] = owner.layers;
    for (const { lo, hi, phys, line, time } of layer.blocks.flat()) {
      enter(unknown, { first: lo, last: hi }, { phys, line, time });
    }
    owners.set(device, { ...createOwner(device), maps: owner.maps });
  }

  return {
    see(record) {
      const calls = callsOf(record.task);
      settle(calls, record);
      switch (record.kind) {
        case 'map':
          return map(record, calls);
        case 'unmap':
          return unmap(record, calls);
        case 'fault':
          return fault(record);
        case 'attach':
          return attach(record.device);
        case 'mapping':
          calls.mapping = record;
          return;
        case 'bounce':
          calls.bounce = record;
          return;
        case 'mapped':
          return name(record, calls);
        case 'unmapping':
          calls.unmapping = record;
          return;
        default:
      }
    },
    facts() {
      for (const calls of tasks.values()) settle(calls);
      if (facts.maps + facts.unmaps + facts.faults.count === 0) return undefined;
      const all = [...owners.values()];
      facts.mapped.atEnd = mappedPages * PAGE;
      facts.mapped.mappingsAtEnd = all
        .flatMap(({ layers }) => layers)
        .reduce((sum, { size }) => sum + size, 0);
      facts.devices = all
        .filter((owner) => owner !== unknown)
        .map(({ device, maps, pages }) => ({ device, maps, mappedAtEnd: pages * PAGE }));
      return facts;
    },
  };
}
