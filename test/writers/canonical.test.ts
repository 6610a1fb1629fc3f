import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createBatch,
  DIR_NAMES,
  type EventBatch,
  Flag,
  Look,
  OP_NAMES,
  Recorded,
} from '../../src/events/batch.js';
import type { CanonicalWriter, Declarations } from '../../src/writers/canonical.js';
import { csvWriter } from '../../src/writers/csv.js';
import { jsonlWriter } from '../../src/writers/jsonl.js';
import { createFieldNames } from '../../src/writers/names.js';
import { timeText } from '../../src/writers/text.js';
import { EVENT } from '../support/generatedEvents.js';
import { type ReadEvent, read } from '../support/reading.js';

const DECLARED: Declarations = {
  kernel: 'v6.12',
  pageSize: 16384,
  dynamic: true,
  pools: [
    {
      name: 'default',
      base: 0x1_0000_0800,
      nslabs: 512,
      areas: 2,
      startIndexes: [3, 0],
      indexKnowledge: 'given',
      restricted: false,
    },
    {
      name: 'own',
      base: 0x8000_0000,
      nslabs: 128,
      areas: 1,
      startIndexes: [],
      indexKnowledge: 'default',
      restricted: true,
    },
  ],
  devices: [],
  comments: ['converted from a story', 'pool=none'],
  lost: [3, Number.NaN],
};

const RECORDED: Record<string, number> = { full: Recorded.full, hang: Recorded.hang };

/** Events in columns; the n-th device has the n-th name. */
function batchOf(events: readonly ReadEvent[], times: readonly number[] = []): EventBatch {
  const batch = createBatch(events.length);
  events.forEach(({ result, op, dir, ...event }, n) => {
    batch.length++;
    batch.time[n] = times[n] ?? Number.NaN;
    batch.cpu[n] = event.cpu;
    batch.device[n] = n;
    batch.op[n] = OP_NAMES.indexOf(op);
    batch.origAddr[n] = event.origAddr;
    batch.size[n] = event.size;
    batch.allocSize[n] = event.allocSize;
    batch.allocAlignMask[n] = event.allocAlignMask;
    batch.dir[n] = DIR_NAMES.indexOf(dir);
    batch.recorded[n] =
      typeof result === 'number' ? Recorded.address : (RECORDED[result ?? ''] ?? 0);
    batch.tlbAddr[n] = typeof result === 'number' ? result : Number.NaN;
  });
  return batch;
}

const WRITERS: [string, (nameOf: (device: number) => string) => CanonicalWriter][] = [
  ['csv', (nameOf) => csvWriter(createFieldNames(nameOf).nameOf)],
  ['jsonl', jsonlWriter],
];

describe.each(WRITERS)('the %s writer', (format, create) => {
  test('writes declarations that are read back', async () => {
    const names = ['nvme0', 'eth0'];
    const writer = create((device) => names[device]);
    const devices = [
      { name: '', minAlignMask: 0xfff, segBoundaryMask: 0xffff, dmaMask: 2 ** 32 - 1, pool: 'own' },
      undefined,
    ];
    const text =
      writer.head({ ...DECLARED, devices }) +
      writer.events(batchOf(await sampleEvents(1)), 0, 1) +
      writer.end([{ pool: 'default', used: 3, usedHiwater: 7, index: [4, 0] }]);
    const { info } = await read(text);
    expect(info.problems).toEqual({ count: 0, first: [] });
    expect(info.assumptions).toEqual([]);
    expect(info).toMatchObject({ kernel: 'v6.12', pageSize: 16384, dynamic: true });
    expect(info.pools).toEqual(DECLARED.pools);
    expect(info.devices[0]).toEqual({ ...devices[0], name: 'nvme0' });
    expect(info.losses.map(({ events }) => events)).toEqual([3, undefined]);
    expect(info.expectations).toMatchObject([{ used: 3, usedHiwater: 7, index: [4, 0] }]);
  });

  test('writes masks of 64 bits as what has none', async () => {
    const writer = create(() => 'a');
    const devices = [{ name: '', segBoundaryMask: Infinity, dmaMask: Infinity }];
    const head = writer.head({ ...DECLARED, devices });
    const { info } = await read(head + writer.events(batchOf(await sampleEvents(1)), 0, 1));
    expect(info.devices[0]).toMatchObject({ segBoundaryMask: Infinity, dmaMask: Infinity });
  });

  test('writes any event so that it is read back', async () => {
    const times = fc.array(fc.integer({ min: 0, max: 2 ** 43 }), { minLength: 20, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(EVENT, { minLength: 1, maxLength: 20 }),
        times,
        async (events, nanos) => {
          const seconds = nanos.map((each) => each / 1e9);
          const names = createFieldNames((n) => events[n].device);
          const isCsv = format === 'csv';
          const writer = create((n) => events[n].device);
          const batch = batchOf(events, seconds);
          const text = writer.head(DECLARED) + writer.events(batch, 0, batch.length);
          const { events: back, times: backTimes, info } = await read(text);
          expect(info.problems).toEqual({ count: 0, first: [] });
          const noAddress = (op: string): boolean => op !== 'map' && op !== 'grow';
          expect(back.map(({ line, ...event }) => event)).toEqual(
            events.map(({ line, ...event }, n) => ({
              ...event,
              ...(isCsv && { device: names.nameOf(n) }),
              ...(noAddress(event.op) && { origAddr: Number.NaN }),
              ...(event.allocSize === event.size && { allocSize: Number.NaN }),
            })),
          );
          expect(backTimes).toEqual(seconds.slice(0, events.length));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('writes flags, looks and pools that join', async () => {
    const [event] = await sampleEvents(1);
    const batch = batchOf([
      event,
      event,
      { ...event, op: 'grow', origAddr: 0x800, size: 64 },
      event,
    ]);
    batch.flag.set([Flag.transient, Flag.transientFailed, Flag.areas, Flag.slots]);
    batch.flagValue.set([0x5000, 0x6000, 4, 9]);
    batch.look.set([Look.lastArea, Look.asRecorded, Look.whole, Look.whole]);
    const writer = create(() => 'a');
    const text = writer.head(DECLARED) + writer.events(batch, 0, 4);
    const seen: number[][] = [];
    const { info } = await read(text, {
      onBatch: (b: EventBatch) => {
        for (let n = 0; n < b.length; n++)
          seen.push([b.op[n], b.flag[n], b.flagValue[n], b.look[n]]);
      },
    });
    expect(info.problems.count).toBe(0);
    expect(seen).toEqual([
      [0, Flag.transient, 0x5000, Look.lastArea],
      [0, Flag.transientFailed, 0x6000, Look.asRecorded],
      [6, Flag.areas, 4, Look.whole],
      [0, Flag.none, Number.NaN, Look.whole],
    ]);
  });
});

/** Plain maps. */
async function sampleEvents(count: number): Promise<ReadEvent[]> {
  const row = 'a,map,0x1000,4096,0x100000800';
  const { events } = await read(`dev,op,orig_addr,size,tlb_addr\n${`${row}\n`.repeat(count)}`);
  return events;
}

test('names that CSV cannot hold get others, and no two the same', () => {
  const names = ['a b', 'a_b', 'x,"y', '\x1b[31m', 'plain', 'a b'];
  const { nameOf, changed } = createFieldNames((n) => names[n]);
  expect(names.map((_, n) => nameOf(n))).toEqual([
    'a_b',
    'a_b_2',
    'x__y',
    '\\x1b[31m',
    'plain',
    'a_b_3',
  ]);
  expect([...changed.keys()]).not.toContain('plain');
});

test.each([
  [Number.NaN, ''],
  [12, '12'],
  [0.001, '0.001000'],
  [100.000017, '100.000017'],
  [0.000000123, '0.000000123'],
  [9_000_000.254740993, '9000000.254740993'],
  [86_400_000.123456, '86400000.123456'],
])('the time %d is written as %s', (time, text) => {
  expect(timeText(time)).toBe(text);
});
