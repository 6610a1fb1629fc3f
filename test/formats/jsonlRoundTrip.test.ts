import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EVENT } from '../support/generatedEvents.js';
import { type ReadEvent, read } from '../support/reading.js';

type Json = Record<string, unknown>;

/** An event as an object; what it does not have is left out, null or empty. */
function objectOf(
  event: ReadEvent,
  number: (value: number) => unknown,
  absent: '' | null | undefined,
): Json {
  const orAbsent = (value: number): unknown => (Number.isNaN(value) ? absent : number(value));
  return {
    time: 0.001,
    attrs: absent,
    cpu: number(event.cpu),
    dev: event.device,
    op: event.op,
    orig_addr: orAbsent(event.origAddr),
    size: orAbsent(event.size),
    alloc_size: orAbsent(event.allocSize),
    alloc_align_mask: number(event.allocAlignMask),
    dir: event.dir,
    tlb_addr: typeof event.result === 'number' ? number(event.result) : (event.result ?? absent),
  };
}

const STYLE = fc.record({
  number: fc.constantFrom<(value: number) => unknown>(
    (value) => value,
    (value) => String(value),
    (value) => `0x${value.toString(16)}`,
  ),
  absent: fc.constantFrom('' as const, null, undefined),
  /** Order of the keys. */
  rank: fc.array(fc.nat(), { minLength: 11, maxLength: 11 }),
  spaces: fc.constantFrom('', ' '),
});

test('events written as JSON lines, keys in any order, are read back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(EVENT, STYLE), { minLength: 1, maxLength: 30 }),
      fc.constantFrom('\n', '\r\n'),
      async (pairs, end) => {
        const lines = pairs.map(([event, { number, absent, rank, spaces }]) => {
          const entries = Object.entries(objectOf(event, number, absent));
          const order = entries.map((entry, n) => ({ entry, rank: rank[n] }));
          order.sort((a, b) => a.rank - b.rank);
          const object = Object.fromEntries(order.map(({ entry }) => entry));
          return spaces + JSON.stringify(object) + spaces + end;
        });
        const { events: back, info, tally } = await read(lines.join(''));
        expect(tally.format).toBe('jsonl');
        expect(info.problems).toEqual({ count: 0, first: [] });
        expect(back).toEqual(pairs.map(([event], n) => ({ ...event, line: n + 1 })));
      },
    ),
    { numRuns: 300 },
  );
});
