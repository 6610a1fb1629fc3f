/** Bytes of a page of provenance, whatever the kernel's pages are. */
export const PAGE = 4096;
export const PAGE_SHIFT = 12;

/**
 * What the bytes of pages come from: each page is a record of parts, sorted, with one source each;
 * between them it is as before the trace. In plain memory: pages of the pool change with every map, and
 * as objects what is in them would outlive its mapping, and be copied by the collector.
 */
export interface PageParts {
  /** Per record: how many parts it has, or one of State. */
  states: Uint8Array;
  /** Per part: its first byte in the page times PAGE, and its last. */
  bounds: Uint32Array;
  /** Per part: origin, shift (position of a byte less its address here; 0 for zeroes), through. */
  sources: Float64Array;
  /** Records that go on in another. */
  more: Map<number, number>;
  /** Records in use or given back, and those given back. */
  length: number;
  unused: number[];
}

/** Parts of one record. */
const ROOM = 4;

/** What a state says besides a number of parts up to ROOM. */
const State = {
  /** As many parts as there is room for; the rest are in the record that `more` names. */
  goesOn: 254,
  /** All of it zeroed; parts are not filled in. */
  zeroed: 255,
} as const;

/** The origin of zeroes, whose shift and through are 0. */
const ZEROED = 0;

/** The origin of what was there before the trace. */
const BEFORE = -1;

const WHOLE = PAGE - 1;

/** The parts of one page, in order. */
export interface LoadedPage {
  count: number;
  /** The number of the first of them in these, which are as in PageParts. */
  from: number;
  bounds: Uint32Array;
  sources: Float64Array;
}

/** With room for a part for each byte, and for what a change cuts off. */
function emptyPage(): LoadedPage {
  return {
    count: 0,
    from: 0,
    bounds: new Uint32Array(PAGE + 2),
    sources: new Float64Array(3 * (PAGE + 2)),
  };
}

/** Whether bytes are as before the trace. */
export function isHome(origin: number, shift: number): boolean {
  return origin === BEFORE && shift === 0;
}

/** A page as it is, and as it becomes; reused. Parts that lie in several records are put together first. */
const loaded: LoadedPage = { ...emptyPage() };
const gathered = emptyPage();
const changed = emptyPage();

/** All of it zeroed. */
const zeroed = emptyPage();
addPart(zeroed, 0, WHOLE, ZEROED, 0, 0);

/** Records of pages that are as before the trace; the first `length` are in use. */
export function createPageParts(length: number): PageParts {
  const room = Math.max(16, length);
  return {
    states: new Uint8Array(room),
    bounds: new Uint32Array(ROOM * room),
    sources: new Float64Array(3 * ROOM * room),
    more: new Map(),
    length,
    unused: [],
  };
}

/** A record of a page that is as before the trace. */
export function takeRecord(parts: PageParts): number {
  const again = parts.unused.pop();
  if (again !== undefined) return again;
  if (parts.length === parts.states.length) {
    const room = 2 * parts.length;
    const { states, bounds, sources } = parts;
    parts.states = new Uint8Array(room);
    parts.bounds = new Uint32Array(ROOM * room);
    parts.sources = new Float64Array(3 * ROOM * room);
    parts.states.set(states);
    parts.bounds.set(bounds);
    parts.sources.set(sources);
  }
  return parts.length++;
}

/** Gives back a record of a page that is as before the trace. */
export function giveRecord(parts: PageParts, record: number): void {
  parts.unused.push(record);
}

/** Whether a record's page is all as before the trace. */
export function isUntouched({ states }: PageParts, record: number): boolean {
  return states[record] === 0;
}

/** Makes a record's page as before the trace, and gives back what it went on in. */
function clear(parts: PageParts, record: number): void {
  const { states, more } = parts;
  const rest = states[record] === State.goesOn ? more.get(record) : undefined;
  states[record] = 0;
  if (rest === undefined) return;
  more.delete(record);
  clear(parts, rest);
  parts.unused.push(rest);
}

/** The parts of a record's page, until that changes or the next page is loaded; a hot path. */
export function loadPage(parts: PageParts, record: number): LoadedPage {
  const state = parts.states[record];
  if (state <= ROOM) return show(state, ROOM * record, parts);
  if (state === State.zeroed) return show(1, 0, zeroed);
  return show(gather(parts, record), 0, gathered);
}

function show(
  count: number,
  from: number,
  { bounds, sources }: Pick<LoadedPage, 'bounds' | 'sources'>,
): LoadedPage {
  loaded.count = count;
  loaded.from = from;
  loaded.bounds = bounds;
  loaded.sources = sources;
  return loaded;
}

/** Puts the parts of a page that goes on in other records together; how many there are. */
function gather({ states, bounds, sources, more }: PageParts, record: number): number {
  let to = 0;
  for (let at = record; ; at = more.get(at) as number) {
    const goesOn = states[at] === State.goesOn;
    const count = goesOn ? ROOM : states[at];
    for (let n = ROOM * at; n < ROOM * at + count; n++, to++) {
      gathered.bounds[to] = bounds[n];
      gathered.sources[3 * to] = sources[3 * n];
      gathered.sources[3 * to + 1] = sources[3 * n + 1];
      gathered.sources[3 * to + 2] = sources[3 * n + 2];
    }
    if (!goesOn) return to;
  }
}

/** Makes a record's page what has been put together. */
function storeChanged(parts: PageParts, record: number): void {
  clear(parts, record);
  let at = record;
  for (let from = 0; from < changed.count; from += ROOM) {
    if (from > 0) {
      const rest = takeRecord(parts);
      parts.states[at] = State.goesOn;
      parts.more.set(at, rest);
      at = rest;
    }
    const count = Math.min(ROOM, changed.count - from);
    for (let n = 0; n < count; n++) {
      const to = ROOM * at + n;
      parts.bounds[to] = changed.bounds[from + n];
      parts.sources[3 * to] = changed.sources[3 * (from + n)];
      parts.sources[3 * to + 1] = changed.sources[3 * (from + n) + 1];
      parts.sources[3 * to + 2] = changed.sources[3 * (from + n) + 2];
    }
    parts.states[at] = count;
  }
}

/** Adds bytes behind a page's parts; to the last one, where they continue it. */
function addPart(
  page: LoadedPage,
  lo: number,
  hi: number,
  origin: number,
  shift: number,
  through: number,
): void {
  const { count, bounds, sources } = page;
  const last = 3 * (count - 1);
  const continues =
    count > 0 &&
    bounds[count - 1] % PAGE === lo - 1 &&
    sources[last] === origin &&
    sources[last + 1] === shift &&
    sources[last + 2] === through;
  if (continues) {
    bounds[count - 1] += hi + 1 - lo;
    return;
  }
  bounds[count] = lo * PAGE + hi;
  sources[3 * count] = origin;
  sources[3 * count + 1] = shift;
  sources[3 * count + 2] = through;
  page.count++;
}

/** Adds the bytes from `lo` to `hi` of a part of the loaded page; none where `lo` is above `hi`. */
function keepPart(n: number, lo: number, hi: number): void {
  const { sources } = loaded;
  if (lo > hi) return;
  addPart(changed, lo, hi, sources[3 * n], sources[3 * n + 1], sources[3 * n + 2]);
}

/** Whether no part of the loaded page goes beyond the bytes from `lo` to `hi`. */
function isAllWithin(lo: number, hi: number): boolean {
  const { count, from, bounds } = loaded;
  return bounds[from] >= lo * PAGE && bounds[from + count - 1] % PAGE <= hi;
}

/**
 * Gives the bytes from `lo` to `hi` of a record's page a source; a hot path.
 * @param origin as in Piece; bytes from before the trace that are where they were have no part
 */
export function setPart(
  parts: PageParts,
  record: number,
  lo: number,
  hi: number,
  origin: number,
  shift: number,
  through: number,
): void {
  const state = parts.states[record];
  const isWhole = lo === 0 && hi === WHOLE;
  if (isWhole || state === 0) {
    setOnly(parts, record, lo, hi, origin, shift, through);
    return;
  }
  if (state === State.zeroed && origin === ZEROED) return;
  const { count, from, bounds } = loadPage(parts, record);
  if (isAllWithin(lo, hi)) {
    setOnly(parts, record, lo, hi, origin, shift, through);
    return;
  }
  changed.count = 0;
  const end = from + count;
  let n = from;
  for (; n < end && bounds[n] < lo * PAGE; n++) {
    const first = bounds[n] >>> PAGE_SHIFT;
    const last = bounds[n] % PAGE;
    keepPart(n, first, Math.min(last, lo - 1));
    if (last > hi) break;
  }
  if (!isHome(origin, shift)) addPart(changed, lo, hi, origin, shift, through);
  for (; n < end; n++) {
    const first = bounds[n] >>> PAGE_SHIFT;
    const last = bounds[n] % PAGE;
    keepPart(n, Math.max(first, hi + 1), last);
  }
  storeChanged(parts, record);
}

/** The same for a page of which nothing else is left. */
function setOnly(
  parts: PageParts,
  record: number,
  lo: number,
  hi: number,
  origin: number,
  shift: number,
  through: number,
): void {
  const { states, bounds, sources } = parts;
  clear(parts, record);
  if (isHome(origin, shift)) return;
  if (origin === ZEROED && lo === 0 && hi === WHOLE) {
    states[record] = State.zeroed;
    return;
  }
  const at = ROOM * record;
  bounds[at] = lo * PAGE + hi;
  sources[3 * at] = origin;
  sources[3 * at + 1] = shift;
  sources[3 * at + 2] = through;
  states[record] = 1;
}

/** Whether the bytes from `lo` to `hi` of a record's page are zeroed; a hot path. */
export function isPartZeroed(parts: PageParts, record: number, lo: number, hi: number): boolean {
  if (lo > hi || parts.states[record] === State.zeroed) return true;
  const { count, from, bounds, sources } = loadPage(parts, record);
  let at = lo;
  for (let n = from; n < from + count && at <= hi; n++) {
    const last = bounds[n] % PAGE;
    if (last < at) continue;
    if (bounds[n] >= (at + 1) * PAGE || sources[3 * n] !== ZEROED) return false;
    at = last + 1;
  }
  return at > hi;
}
