import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { findRelease } from '../../../src/kernel/select.js';
import { PROJECT } from '../../support/cli.js';
import { inTempDir, type ReadEvent, type Reading, read } from '../../support/reading.js';
import { SHAPES, type Shape } from '../../support/traceText.js';
import { asText, STYLES, type Style } from '../../support/traceTextStyles.js';
import { replayVector } from '../../support/vectors.js';

/** Results of kernels' own code: one area, several, and a restricted pool with pages of its own. */
const VECTORS = ['v5.10.223_p4096_a1_000', 'v6.1_p4096_a2_000', 'v6.12_p4096_a4_002'];
const RESTRICTED = 'v6.2_p4096_a1r_000';

function readVector(name: string): Promise<Reading> {
  const path = join(PROJECT, 'test/vectors/swiotlb', `${name}.csv.gz`);
  return read(gunzipSync(readFileSync(path)));
}

/** What a style of records tells of an event. */
function told(event: ReadEvent, style: Style): Partial<ReadEvent> {
  const { op, device, origAddr, size, allocSize, allocAlignMask, dir, result } = event;
  // Which CPU served is told by the lock, and no lines are those of the vector.
  const common = { op, device, size, result, dir: op === 'alloc' || op === 'free' ? '' : dir };
  if (style === 'stock events') return { ...common, origAddr };
  return { ...common, origAddr, allocAlignMask, allocSize };
}

const COMBINATIONS = SHAPES.flatMap((shape) =>
  STYLES.map((style): [Shape, Style] => [shape, style]),
);

describe.each(COMBINATIONS)('a vector as %s prints it, %s', (shape, style) => {
  test.each(VECTORS)('%s: gives its events again, in order', async (name) => {
    const vector = await readVector(name);
    const { events, info } = await read(asText(vector, shape, style));
    expect(events.map((event) => told(event, style))).toEqual(
      vector.events.map((event) => told(event, style)),
    );
    expect(info.problems.count).toBe(0);
    expect(info.losses).toEqual([]);
    expect(info.kernel).toContain(vector.info.kernel?.slice(1));
    expect(info.pools).toMatchObject(
      vector.info.pools.map(({ base, nslabs, areas }) => ({ base, nslabs, areas })),
    );
  });
});

describe.each(SHAPES)('the vector of a restricted pool as %s prints it', (shape) => {
  test('gives its events again, in order', async () => {
    const vector = await readVector(RESTRICTED);
    const { events, info } = await read(asText(vector, shape, 'locks'));
    expect(events.map((event) => told(event, 'locks'))).toEqual(
      vector.events.map((event) => told(event, 'locks')),
    );
    expect(info.losses).toEqual([]);
    expect(info.pools).toMatchObject([{ restricted: true, base: vector.info.pools[0].base }]);
  });
});

describe.each([...VECTORS, RESTRICTED])('the vector %s as text', (name) => {
  test('is reproduced to the last address', async () => {
    const vector = await readVector(name);
    const release = findRelease(vector.info.kernel ?? '');
    if (release === undefined) throw new Error(`no release ${vector.info.kernel}`);
    const styles: Style[] = name === RESTRICTED ? ['locks'] : ['locks', 'returns', 'fprobes'];
    await inTempDir(async (directory) => {
      const path = join(directory, 'trace.txt');
      for (const style of styles) {
        writeFileSync(path, asText(vector, 'ftrace, 5 flags', style));
        const { differences, session } = await replayVector(path, release);
        expect(differences, style).toEqual([]);
        expect(session.totals.maps, style).toBeGreaterThan(100);
      }
    });
  });
});
