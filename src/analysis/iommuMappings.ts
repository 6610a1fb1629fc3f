import type { IommuRecord, PageRange } from '../events/iommuRecords.js';
import { emptyFacts, type IommuFacts, keep } from './iommuFacts.js';
import { createIommuHistory } from './iommuHistory.js';
import {
  createOwner,
  type Mapping,
  type Owner,
  overlapIn,
  overlapsOf,
  type Place,
  put,
  take,
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
    return mapping !== undefined && within(pages, mapping.pages) ? mapping.device : '';
  }

  function map(record: Of<'map'>, calls: TaskCalls): void {
    facts.maps++;
    facts.granule = granuleWith(facts.granule, record);
    const owner = ownerOf(deviceOfMap(calls, record));
    if (owner === unknown) {
      if (calls.unnamed.length >= MAX_UNNAMED) calls.unnamed.shift();
      calls.unnamed.push({ pages: record.pages, line: record.line });
      if (placesOf(record.pages).length > 0) facts.ambiguous.maps++;
      unknown.maps++;
      enter(unknown, record.pages, record);
    } else {
      if (overlapsOf(unknown, record.pages).length > 0) facts.ambiguous.maps++;
      enterOwned(owner, record.pages, record);
    }
    const now = mappedPages * PAGE;
    if (now > facts.mapped.peak) Object.assign(facts.mapped, { peak: now, peakLine: record.line });
  }

  function enter(
    owner: Owner,
    pages: PageRange,
    made: Pick<Mapping, 'phys' | 'line' | 'time'>,
  ): void {
    if (put(owner, pages, made)) mappedPages += lengthOf(pages);
    else facts.dropped++;
  }

  /** Maps pages in a page table that is known: what is mapped there already collides. */
  function enterOwned(
    owner: Owner,
    pages: PageRange,
    made: Pick<Mapping, 'phys' | 'line' | 'time'>,
  ): void {
    facts.labelled++;
    owner.maps++;
    const [layer] = owner.layers;
    const there = overlapIn(layer, pages);
    if (there !== undefined) {
      const { line } = made;
      if (isUndecided(pages)) facts.ambiguous.maps++;
      else keep(facts.collisions, { line, device: owner.device, pages, mappedLine: there.line });
      take(owner, layer, pages, (taken) => {
        mappedPages -= lengthOf(taken);
      });
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
      for (const { layer, mapping } of overlapsOf(unknown, map.pages)) {
        if (mapping.line !== map.line) continue;
        unknown.maps--;
        take(unknown, layer, map.pages, (taken) => {
          mappedPages -= lengthOf(taken);
        });
        enterOwned(owner, map.pages, mapping);
        break;
      }
      return false;
    });
  }

  /** All mappings of any of the pages. */
  function placesOf(pages: PageRange): Place[] {
    return [...owners.values()].flatMap((owner) => overlapsOf(owner, pages));
  }

  function unmap(record: Of<'unmap'>, calls: TaskCalls): void {
    const { pages, unmapped, line } = record;
    facts.unmaps++;
    const size = lengthOf(pages) * PAGE;
    if (unmapped * PAGE < size) {
      keep(facts.shortUnmaps, { line, pages, size, unmappedSize: unmapped * PAGE });
    }
    const { unmapping } = calls;
    calls.unmapping = undefined;
    if (unmapping !== undefined && overlap(unmapping.pages, pages)) {
      decide(record, unmapping.device);
    } else if (placesOf(pages).length > 1) {
      calls.undecided = record;
    } else {
      decide(record, undefined);
    }
  }

  /** Unmaps, for a device if it is known, or what leads to a bounce buffer. */
  function decide(record: Of<'unmap'>, device: string | undefined, slot = Number.NaN): void {
    const all = placesOf(record.pages);
    const isSlot = ({ mapping }: Place): boolean =>
      Math.floor(slot / PAGE) * PAGE === mapping.phys && mapping.lo === record.pages.first;
    const known = all.filter((place) => place.owner.device === device);
    const unnamed = all.filter((place) => place.owner === unknown && device !== undefined);
    const bySlot = all.filter(isSlot);
    const places = [bySlot, known, unnamed].find(({ length }) => length > 0) ?? [];
    const candidates = device === undefined ? all : places;
    if (candidates.length === 0) {
      facts.unseenUnmaps++;
      return;
    }
    if (candidates.length > 1) facts.ambiguous.unmaps++;
    release(newest(candidates), record);
  }

  function newest(places: Place[]): Place {
    return places.reduce((a, b) => (b.mapping.line > a.mapping.line ? b : a));
  }

  function release({ owner, layer }: Place, { pages, unmapped, line, time }: Of<'unmap'>): void {
    const { first } = pages;
    take(owner, layer, { first, last: first + unmapped - 1 }, (taken, mapping) => {
      mappedPages -= lengthOf(taken);
      history.add(taken, {
        device: owner.device,
        mapLine: mapping.line,
        unmapLine: line,
        unmapTime: time,
      });
    });
  }

  /** Decides about an unmap that waits, by what the next record of its task says. */
  function settle(calls: TaskCalls, record?: IommuRecord): void {
    const { undecided } = calls;
    if (undecided === undefined) return;
    calls.undecided = undefined;
    if (record?.kind === 'unmapped' && overlap(record.pages, undecided.pages)) {
      decide(undecided, record.device);
    } else if (record?.kind === 'release') {
      decide(undecided, record.device, record.slot);
    } else {
      decide(undecided, undefined);
    }
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
      mappedPages -= hi - lo + 1;
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
