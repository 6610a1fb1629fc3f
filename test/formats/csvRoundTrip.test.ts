import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EVENT } from '../support/generatedEvents.js';
import { type ReadEvent, read } from '../support/reading.js';

type Write = (event: ReadEvent, number: (value: number) => string) => string;

const COLUMNS: Readonly<Record<string, Write>> = {
  time: () => '0.001',
  attrs: () => '',
  comment: () => 'not, "known"',
  cpu: ({ cpu }, number) => number(cpu),
  dev: ({ device }) => device,
  op: ({ op }) => op,
  orig_addr: ({ origAddr }, number) => number(origAddr),
  size: ({ size }, number) => number(size),
  alloc_size: ({ allocSize }, number) => number(allocSize),
  alloc_align_mask: ({ allocAlignMask }, number) => number(allocAlignMask),
  dir: ({ dir }) => dir,
  tlb_addr: ({ result }, number) => (typeof result === 'number' ? number(result) : (result ?? '')),
};

const ORDER = fc.shuffledSubarray(Object.keys(COLUMNS), { minLength: Object.keys(COLUMNS).length });

/** How a field is written: quoted or not, its numbers in hex or not. */
const STYLE = fc.record({ quoted: fc.boolean(), hex: fc.boolean() });

function quote(text: string, always: boolean): string {
  const must = /[",#\r]/.test(text);
  return always || must ? `"${text.replaceAll('"', '""')}"` : text;
}

test('events written as CSV in any order of columns, quoted or not, are read back', async () => {
  const styles = fc.array(STYLE, { minLength: 1, maxLength: 30 });
  const newline = fc.constantFrom('\n', '\r\n');
  await fc.assert(
    fc.asyncProperty(
      fc.array(EVENT, { minLength: 1, maxLength: 30 }),
      ORDER,
      styles,
      newline,
      async (events, order, styleList, end) => {
        let turn = 0;
        const rowOf = (event: ReadEvent): string =>
          order
            .map((column) => {
              const { quoted, hex } = styleList[turn++ % styleList.length];
              const number = (value: number): string => {
                if (Number.isNaN(value)) return '';
                return hex ? `0x${value.toString(16)}` : String(value);
              };
              return quote(COLUMNS[column](event, number), quoted);
            })
            .join(',');
        const lines = [order.join(','), ...events.map(rowOf)];
        const { events: back, info } = await read(lines.map((line) => line + end).join(''));
        expect(info.problems).toEqual({ count: 0, first: [] });
        expect(back).toEqual(events.map((event, n) => ({ ...event, line: n + 2 })));
      },
    ),
    { numRuns: 300 },
  );
});
