import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BlockTally } from '../../src/source/blocks.js';
import { withoutNuls } from '../../src/source/nuls.js';
import { inChunks } from '../support/reading.js';

test('NULs become blanks and are counted, however the bytes come in', async () => {
  const text = fc.array(fc.constantFrom('\0', '\0\0\0', 'a', ' ', '\n'), { maxLength: 40 });
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(text, sizes, fc.boolean(), async (words, chunks, isAsync) => {
      const given = words.join('');
      const tally: BlockTally = { bytes: 0, cutLines: 0 };
      const source = inChunks(Buffer.from(given), chunks);
      const read = withoutNuls(isAsync ? async (...to) => source(...to) : source, tally);
      // What lies behind the bytes that were read is not theirs.
      const into = Buffer.alloc(given.length + 9);
      let filled = 0;
      for (let got = -1; got !== 0; filled += got) got = await read(into, filled, 9);
      expect(into.toString('latin1', 0, filled)).toBe(given.replaceAll('\0', ' '));
      const runs = given.match(/\0+/g) ?? [];
      expect(tally.nuls ?? 0).toBe(runs.join('').length);
      expect(tally.longestNuls ?? 0).toBe(Math.max(0, ...runs.map((run) => run.length)));
    }),
  );
});
