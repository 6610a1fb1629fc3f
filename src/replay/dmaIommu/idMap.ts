/**
 * What belongs to ids that come and go, as far as a Map is needed for them. Places are used again:
 * a Map that entries pass through is copied over and over, which the collector has to clear away.
 */
export interface IdMap<T> {
  readonly size: number;
  get(id: number): T | undefined;
  has(id: number): boolean;
  /** @param id a whole number from 0 on */
  set(id: number, value: T): void;
  delete(id: number): void;
  /** By rising id. */
  values(): T[];
  [Symbol.iterator](): IterableIterator<[number, T]>;
}

/** An open hash table. */
interface Places<T> {
  /** Ids plus one; 0 for an empty place, GONE for one whose id was deleted. */
  ids: Float64Array;
  values: (T | undefined)[];
  /** 32 less the bits of a group's number. */
  shift: number;
}

const GONE = -1;

/** Ids beside each other, as counters give them, share a cache line. */
const GROUP = 8;

const LEAST_PLACES = 4096;

/** Places that are looked at for an id; one that finds none of them empty is kept in a Map. */
const MOST_PROBES = 64;

function emptyPlaces<T>(count: number): Places<T> {
  return {
    ids: new Float64Array(count),
    values: new Array(count).fill(undefined),
    shift: 32 - Math.log2(count / GROUP),
  };
}

function homeOf(shift: number, id: number): number {
  const group = Math.imul(Math.floor(id / GROUP) | 0, 0x9e3779b1) >>> shift;
  return group * GROUP + (id % GROUP);
}

/** The place of an id; -1 for none. A hot path. */
function placeOf({ ids, shift }: Places<unknown>, id: number): number {
  const mask = ids.length - 1;
  const key = id + 1;
  let place = homeOf(shift, id);
  for (let probe = 0; probe < MOST_PROBES; probe++) {
    const there = ids[place];
    if (there === key) return place;
    if (there === 0) return -1;
    place = (place + 1) & mask;
  }
  return -1;
}

/** A place for an id that has none; -1 where those that are looked at are taken. */
function freePlace({ ids, shift }: Places<unknown>, id: number): number {
  const mask = ids.length - 1;
  let place = homeOf(shift, id);
  for (let probe = 0; probe < MOST_PROBES; probe++) {
    if (ids[place] <= 0) return place;
    place = (place + 1) & mask;
  }
  return -1;
}

/** A map without ids. */
export function createIdMap<T>(): IdMap<T> {
  let places = emptyPlaces<T>(LEAST_PLACES);
  let spare: Places<T> | undefined;
  /** Ids that found no place. */
  const others = new Map<number, T>();
  let size = 0;
  /** Places that are not empty. */
  let used = 0;
  /** The place that was found last, and the id that none was found for: rows ask first, and then change. */
  let last = 0;
  let missed = -1;

  function find(id: number): number {
    if (places.ids[last] === id + 1) return last;
    const place = placeOf(places, id);
    if (place >= 0) last = place;
    return place;
  }

  function put(id: number, value: T): void {
    const place = freePlace(places, id);
    if (place < 0) {
      others.set(id, value);
      return;
    }
    if (places.ids[place] === 0) used++;
    places.ids[place] = id + 1;
    places.values[place] = value;
  }

  /** Puts all ids where they are found at once, in more places if need be. */
  function rebuild(): void {
    const old = places;
    const count = old.ids.length;
    const wanted = size > count / 4 ? 2 * count : count;
    places = spare?.ids.length === wanted ? spare : emptyPlaces(wanted);
    spare = old;
    used = 0;
    for (let n = 0; n < count; n++) {
      if (old.ids[n] > 0) put(old.ids[n] - 1, old.values[n] as T);
      old.values[n] = undefined;
    }
    old.ids.fill(0);
  }

  function sorted(): [number, T][] {
    const all = [...others];
    places.ids.forEach((key, n) => {
      if (key > 0) all.push([key - 1, places.values[n] as T]);
    });
    return all.sort(([a], [b]) => a - b);
  }

  return {
    get size() {
      return size;
    },
    get(id) {
      if (Number.isNaN(id)) return undefined;
      const place = find(id);
      if (place >= 0) return places.values[place];
      if (others.size > 0) return others.get(id);
      missed = id;
      return undefined;
    },
    has(id) {
      return !Number.isNaN(id) && (find(id) >= 0 || others.has(id));
    },
    set(id, value) {
      const isNew = id === missed;
      missed = -1;
      const place = isNew ? -1 : find(id);
      if (place >= 0) places.values[place] = value;
      else if (!isNew && others.has(id)) others.set(id, value);
      else {
        if (used >= places.ids.length / 2) rebuild();
        put(id, value);
        size++;
      }
    },
    delete(id) {
      if (Number.isNaN(id)) return;
      const place = find(id);
      if (place >= 0) {
        places.ids[place] = GONE;
        places.values[place] = undefined;
        size--;
      } else if (others.delete(id)) size--;
    },
    values: () => sorted().map(([, value]) => value),
    [Symbol.iterator]: () => sorted().values(),
  };
}
