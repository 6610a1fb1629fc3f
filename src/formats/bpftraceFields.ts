import { parseNumber } from '../events/numbers.js';

/*
 * Lines of the program that `capture --tool bpftrace` prints: a word, numbers, and last the device's
 * name, which may hold commas itself. Numbers that the release does not have are empty.
 *
 * device,81234567890123,2,0xfff,0xffffffff,0xffffffffffffffff,0x7c700000,32768,4,0,0000:00:06.0
 * map,81234567893456,2,81234567890456,0x1178d6110,4096,4096,0x0,1,0x0,0x7c901110,0000:00:06.0
 * unmap,81234567999999,2,0x7c901110,4096,,1,0x20,0000:00:06.0
 * sync_cpu,81234567999000,2,0x7c901110,4096,1,0000:00:06.0
 * orphan,81234568000000,2
 */
const FIELDS = {
  device: [
    'ns',
    'cpu',
    'min_align_mask',
    'seg_boundary_mask',
    'dma_mask',
    'base',
    'nslabs',
    'areas',
    'restricted',
  ],
  map: [
    'ns',
    'cpu',
    'entry_ns',
    'orig_addr',
    'size',
    'alloc_size',
    'alloc_align_mask',
    'dir',
    'attrs',
    'result',
  ],
  unmap: ['ns', 'cpu', 'tlb_addr', 'size', 'alloc_size', 'dir', 'attrs'],
  sync: ['ns', 'cpu', 'tlb_addr', 'size', 'dir', 'target'],
  sync_cpu: ['ns', 'cpu', 'tlb_addr', 'size', 'dir'],
  sync_dev: ['ns', 'cpu', 'tlb_addr', 'size', 'dir'],
  orphan: ['ns', 'cpu'],
} as const;

/** The word that a line begins with. */
export type LineKind = keyof typeof FIELDS;

const KINDS = (Object.keys(FIELDS) as LineKind[]).map((kind) => ({
  kind,
  word: Buffer.from(`${kind},`),
  fields: FIELDS[kind] as readonly string[],
}));

const COMMA = 0x2c;

/** One line in its parts; the same object for every line. */
export interface LineFields {
  kind: LineKind;
  bytes: Buffer;
  /** Where each number begins and ends, by its place. */
  from: number[];
  to: number[];
  /** The device's name; empty for an orphan. */
  nameFrom: number;
  nameTo: number;
}

/** An object to be filled. */
export function emptyLineFields(): LineFields {
  return { kind: 'map', bytes: Buffer.alloc(0), from: [], to: [], nameFrom: 0, nameTo: 0 };
}

/**
 * Takes a line apart.
 * @returns undefined; a message for a line that begins like ours and is not whole; false for others
 */
export function splitLine(
  bytes: Buffer,
  from: number,
  end: number,
  into: LineFields,
): string | undefined | false {
  const known = KINDS.find(
    ({ word }) =>
      bytes.compare(word, 0, word.length, from, Math.min(end, from + word.length)) === 0,
  );
  if (known === undefined) return false;
  const { kind, word, fields } = known;
  into.kind = kind;
  into.bytes = bytes;
  let at = from + word.length;
  for (let n = 0; n < fields.length; n++) {
    let to = at;
    while (to < end && bytes[to] !== COMMA) to++;
    const isLast = kind === 'orphan' && n === fields.length - 1;
    if (to >= end && !isLast) return `the line breaks off at ${fields[n]}`;
    into.from[n] = at;
    into.to[n] = to;
    at = to + 1;
  }
  into.nameFrom = Math.min(at, end);
  into.nameTo = end;
  if (kind !== 'orphan' && into.nameFrom === end) return 'the line breaks off at dev';
  return undefined;
}

/** The place of a field in a kind of line. */
function place(kind: LineKind, field: string): number {
  return (FIELDS[kind] as readonly string[]).indexOf(field);
}

/** Number of a field; NaN where it is empty, missing or none. */
export function numberOf(line: LineFields, field: string): number {
  const n = place(line.kind, field);
  return n < 0 ? Number.NaN : parseNumber(line.bytes, line.from[n], line.to[n]);
}

/** Text of a field. */
export function textOfField(line: LineFields, field: string): string {
  const n = place(line.kind, field);
  return n < 0 ? '' : line.bytes.toString('latin1', line.from[n], line.to[n]);
}
