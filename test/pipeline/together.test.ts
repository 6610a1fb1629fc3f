import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseSides, diffOfSides, watchAsOne, watchSides } from '../../src/cli/sides.js';
import { Look } from '../../src/events/batch.js';
import { emptyTraceInfo } from '../../src/events/trace.js';
import { RELEASES } from '../../src/kernel/releases.js';
import {
  feedFromBytes,
  feedFromMemory,
  keepTrace,
  type TraceFeed,
} from '../../src/pipeline/feed.js';
import { replayFeed } from '../../src/pipeline/replaying.js';
import { diffJson } from '../../src/render/diffJson.js';
import type { Session } from '../../src/replay/session.js';
import { watchForComparison } from '../../src/report/watch.js';
import { scenarios, traceOf } from '../replay/generating.js';
import { shippedVectorsOf } from '../support/vectors.js';

/** How a comparison went, and what it came to. */
interface Outcome {
  json: string;
  /** Requests that each side has replayed. */
  old: number;
  new: number;
  readings: number;
}

/** A trace in batches of a few events, so that it has to be read again where its sides part. */
async function inSmallBatches(
  trace: string | Buffer,
  length: number,
  look: number = Look.whole,
): Promise<TraceFeed> {
  const info = emptyTraceInfo();
  const options = { format: undefined, pageSize: 4096, pools: [] };
  const kept = await keepTrace(feedFromBytes('test.csv', Buffer.from(trace)), info, options);
  for (const batch of kept.batches) batch.look.fill(look);
  const whole = feedFromMemory(kept);
  return {
    ...whole,
    run: (known, settings, onBatch) =>
      whole.run(known, settings, (batch) => {
        for (let from = 0; from < batch.length; from += length) {
          const part = { ...batch, length: Math.min(length, batch.length - from) };
          for (const [name, column] of Object.entries(batch)) {
            if (typeof column !== 'number') Object.assign(part, { [name]: column.slice(from) });
          }
          onBatch(part);
        }
      }),
  };
}

async function diff(feed: TraceFeed, names: [string, string], asOne: boolean): Promise<Outcome> {
  const options = {
    old: names[0],
    new: names[1],
    pool: [],
    device: [],
    oldPool: [],
    newPool: [],
  } as unknown as Parameters<typeof chooseSides>[0];
  const sides = watchSides(watchForComparison);
  const onParting = asOne ? watchAsOne(sides) : undefined;
  const sessions: Session[] = [];
  let readings = 0;
  const replayed = await replayFeed(
    {
      ...feed,
      run(...args) {
        readings++;
        return feed.run(...args);
      },
    },
    options,
    (info) => ({ ...chooseSides(options, info), ...(onParting && { onParting }) }),
    (session) => {
      sessions.push(session);
      return sides.attach(session);
    },
  );
  const json = diffJson(diffOfSides(replayed, sides, options), false);
  const [fresh, old] = sessions.map(({ totals }) => totals.maps);
  return { json, old, new: fresh, readings };
}

const trace = (rows: string[], pool = 'base=0x80000000 nslabs=512 index=0'): string =>
  [`#pool name=default ${pool}`, 'dev,op,orig_addr,size,tlb_addr', ...rows].join('\n');

/** Maps of a device without masks: from a page up on a page in both releases, by other masks. */
const alike = Array.from({ length: 20 }, (_, n) => `net,map,0x${n + 1}000,4096,`);

describe('two sides of a diff', () => {
  it('are one replay where they certainly answer the same', async () => {
    const feed = await inSmallBatches(trace(alike), 3);
    const outcome = await diff(feed, ['v6.8', 'v6.9'], true);
    expect(outcome).toMatchObject({ old: 20, new: 0, readings: 1 });
    expect(outcome.json).toBe((await diff(feed, ['v6.8', 'v6.9'], false)).json);
  });

  it('are two from where they part, in one more reading', async () => {
    const rows = [...alike, 'net,map,0x100800,4096,', ...alike];
    const feed = await inSmallBatches(trace(rows), 3);
    const outcome = await diff(feed, ['v6.8', 'v6.9'], true);
    expect(outcome).toMatchObject({ old: 41, new: 41, readings: 2 });
    expect(JSON.parse(outcome.json)).toMatchObject({ firstDivergence: { line: 23 } });
    expect(outcome.json).toBe((await diff(feed, ['v6.8', 'v6.9'], false)).json);
  });

  it('part in the first batch without another reading', async () => {
    const feed = await inSmallBatches(trace([...alike, 'net,map,0x100800,4096,']), 100);
    const outcome = await diff(feed, ['v6.8', 'v6.9'], true);
    expect(outcome).toMatchObject({ old: 21, new: 21, readings: 1 });
  });

  it('are two from the start where a trace cannot be read again', async () => {
    const feed = { ...(await inSmallBatches(trace(alike), 3)), canRepeat: false };
    const outcome = await diff(feed, ['v6.8', 'v6.9'], true);
    expect(outcome).toMatchObject({ old: 20, new: 20, readings: 1 });
  });

  it('are two where what a pool is sets them apart, or what a refusal comes from', async () => {
    const tail = trace(['net,map,0x1000,2048,'], 'base=0x80000000 nslabs=130 index=129');
    const beyond4GiB = trace(alike, 'base=0x100000000 nslabs=2097280 index=2097152');
    const large = trace([
      '#device name=net min_align_mask=0xfff',
      ...alike,
      'net,map,0x100800,262144,',
    ]);
    const oddPage = trace(['net,alloc,,4096,'], 'base=0x80000000 nslabs=512 index=1');
    const fromOddIndex = trace(['net,map,0x1000,4096,0x80010800'], 'base=0x80000000 nslabs=512');
    const cases: [string, [string, string]][] = [
      [tail, ['v6.6.0', 'v6.6']],
      [beyond4GiB, ['v6.0', 'v6.1']],
      [large, ['v5.16', 'v5.19']],
      [oddPage, ['v6.8+04867a7a', 'v6.8+823353b7']],
      [fromOddIndex, ['v6.2', 'v6.3']],
    ];
    for (const [text, releases] of cases) {
      const feed = await inSmallBatches(text, 3);
      const outcome = await diff(feed, releases, true);
      expect(outcome.new).toBe(outcome.old);
      expect(outcome.json).toBe((await diff(feed, releases, false)).json);
    }
  });

  it('are two where the old one follows what the record says of a search', async () => {
    const recorded = `#kernel version=v6.8\n${trace(['net,map,0x1000,4096,0x80080000'], 'base=0x80000000 nslabs=512 areas=2 index=0:0')}`;
    const feed = await inSmallBatches(recorded, 3, Look.lastArea);
    const outcome = await diff(feed, ['v6.8', 'v6.9'], true);
    expect(JSON.parse(outcome.json).different).toBe(1);
    expect(outcome.json).toBe((await diff(feed, ['v6.8', 'v6.9'], false)).json);
  });

  it('come to what two whole replays come to, whatever the releases', async () => {
    const names = fc.constantFrom(...RELEASES.map(({ name }) => name));
    const seen = { one: 0, again: 0, counted: 0 };
    await fc.assert(
      fc.asyncProperty(
        scenarios,
        fc.boolean(),
        fc.boolean(),
        fc.tuple(names, names),
        fc.integer({ min: 1, max: 40 }),
        async (scenario, allocs, wide, releases, length) => {
          // Wide pools are hardly ever full, and a single area is what all releases have.
          const shape = wide ? { ...scenario, nslabs: 2048, areas: 1, indexes: [0] } : scenario;
          const text = traceOf(shape, { allocs, releaseAll: false });
          const feed = await inSmallBatches(text, length);
          const asOne = await diff(feed, releases, true);
          const apart = await diff(feed, releases, false);
          expect(asOne.json === apart.json).toBe(true);
          if (asOne.new === 0) seen.one++;
          if (asOne.readings > 1) seen.again++;
          const { old, new: fresh } = JSON.parse(asOne.json);
          if (asOne.new === 0 && old.summary.slotsSearched !== fresh.summary.slotsSearched) {
            seen.counted++;
          }
        },
      ),
      // A seed whose scenarios come to all three: the last is rare.
      { numRuns: 300, seed: 4 },
    );
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });

  it('come to the same on vectors, where start indexes are found out and every address is checked', async () => {
    const vectors = [...shippedVectorsOf('swiotlb'), ...shippedVectorsOf('swiotlb-edges')];
    const seen = { one: 0, again: 0 };
    for (const [n, { name, path, version }] of vectors.entries()) {
      if (n % 5 !== 0) continue;
      const feed = await inSmallBatches(readFileSync(path), 100);
      const other = RELEASES[n % RELEASES.length].name;
      const asOne = await diff(feed, [version, other], true);
      const apart = await diff(feed, [version, other], false);
      expect(`${name} to ${other}: ${asOne.json === apart.json}`).toBe(`${name} to ${other}: true`);
      if (asOne.new === 0) seen.one++;
      if (asOne.readings > 1) seen.again++;
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });
});
