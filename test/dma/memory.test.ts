import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copy, createMemory, Origin, read, write, zero } from '../../src/dma/memory.js';

/** What is known of one byte. */
type Byte = readonly [origin: number, at: number, through: number];

const SPAN = 5 * 4096;
const BASE = 0x100000000;

/** A memory of bytes, each by itself. */
function byteModel(): Byte[] {
  return Array.from({ length: SPAN }, (_, n) => [Origin.before, BASE + n, 0]);
}

const place = fc.oneof(
  fc.nat({ max: SPAN - 1 }),
  fc.nat({ max: 4 }).map((n) => n * 4096),
);

const step = fc.record({
  op: fc.constantFrom('write', 'zero', 'copy'),
  start: place,
  length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 9000 })),
  from: place,
});

describe('memory with provenance', () => {
  test('knows for each byte what a memory of single bytes knows', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, isDense) => {
        const memory = isDense ? createMemory(BASE + 4096, 2 * 4096) : createMemory();
        let model = byteModel();
        steps.forEach(({ op, start, length, from }, n) => {
          const call = n + 1;
          const size = Math.min(length, SPAN - start, op === 'copy' ? SPAN - from : SPAN);
          if (op === 'copy' && Math.abs(from - start) < size) return;
          const before = model;
          model = [...before];
          for (let i = 0; i < size; i++) {
            if (op === 'write') model[start + i] = [call, i, 0];
            else if (op === 'zero') model[start + i] = [Origin.zeroed, 0, 0];
            else model[start + i] = copied(before[from + i], BASE + start + i, call);
          }
          if (op === 'write') write(memory, BASE + start, size, call, 0, 0);
          else if (op === 'zero') zero(memory, BASE + start, size);
          else copy(memory, BASE + from, BASE + start, size, call);
        });
        expect(bytesOf(memory, BASE, SPAN)).toEqual(model);
        expect(bytesOf(memory, BASE + 100, 5000)).toEqual(model.slice(100, 5100));
      }),
      { numRuns: 80 },
    );
  });

  test('forgets a copy that is back where it was', () => {
    const memory = createMemory();
    copy(memory, BASE, BASE + 0x10000, 5000, 1);
    copy(memory, BASE + 0x10000, BASE, 5000, 2);
    zero(memory, BASE + 0x10000, 5000);
    const home = { start: BASE, length: 5000, origin: Origin.before, at: BASE, through: 0 };
    expect(read(memory, BASE, 5000)).toEqual([home]);
    expect(memory.pages.size).toBe(2);
  });

  test('tells pieces, not bytes', () => {
    const memory = createMemory();
    write(memory, BASE + 10, 100_000, 7, 0, 0);
    zero(memory, BASE + 50_000, 10);
    expect(read(memory, BASE, 100_020).map(({ length, origin }) => [origin, length])).toEqual([
      [Origin.before, 10],
      [7, 49_990],
      [Origin.zeroed, 10],
      [7, 50_000],
      [Origin.before, 10],
    ]);
  });
});

/** A byte after its copy: zeroes are zeroes, and what comes home was never away. */
function copied([origin, at]: Byte, to: number, call: number): Byte {
  if (origin === Origin.zeroed) return [origin, 0, 0];
  return [origin, at, origin === Origin.before && at === to ? 0 : call];
}

function bytesOf(memory: ReturnType<typeof createMemory>, start: number, length: number): Byte[] {
  return read(memory, start, length).flatMap(({ origin, at, through, length }) =>
    Array.from(
      { length },
      (_, i): Byte => [origin, origin === Origin.zeroed ? 0 : at + i, through],
    ),
  );
}
