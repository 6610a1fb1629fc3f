import { describe, expect, test } from 'vitest';
import { read } from '../../support/reading.js';
import {
  BASE,
  bounced,
  file,
  line,
  lockedMap,
  lockedUnmap,
  probe,
  recordLine,
} from '../../support/traceText.js';

const MAP = lockedMap('eth0', 0x1000, 512, BASE).map((body) => line(body));
const UNMAP = lockedUnmap('eth0', BASE, 512).map((body) => line(body));
/** A call of the same task at another time; nothing about it is odd. */
const LATER = lockedMap('eth0', 0x2000, 512, BASE + 2048).map((body) => line(body));
/** Calls without their locks. */
const [ENTRY, , RET] = MAP;

async function lossesOf(...lines: string[]) {
  const { info } = await read(file(...lines));
  return info.losses;
}

describe('a tracer’s word that records are missing', () => {
  test('is the header, where the buffer holds less than was written', async () => {
    expect(
      await lossesOf('# entries-in-buffer/entries-written: 813/26317372   #P:8', ...MAP),
    ).toEqual([
      { line: 1, events: 26316559, message: expect.stringContaining('26316559 of 26317372') },
    ]);
  });

  test('is not the header where it holds all', async () => {
    expect(await lossesOf('# entries-in-buffer/entries-written: 813/813   #P:8', ...MAP)).toEqual(
      [],
    );
  });

  test.each([
    ['CPU:3 [LOST 1234 EVENTS]', 1234],
    ['CPU:3 [LOST EVENTS]', undefined],
    ['CPU:0 [27 EVENTS DROPPED]', 27],
    ['CPU:0 [EVENTS DROPPED]', undefined],
    ['         swapper     0 [003]    44.599442: PERF_RECORD_LOST lost 12', 12],
    ['         swapper     0 [003]    44.599442: PERF_RECORD_LOST_SAMPLES lost 5', 5],
    ['Processed 4711 events and lost 3 chunks!', 3],
  ])('is %s', async (text, events) => {
    expect(await lossesOf(...MAP, text)).toMatchObject([{ line: 4, events }]);
  });

  test('counts over all places', async () => {
    const lost = ['CPU:3 [LOST 2 EVENTS]', 'CPU:1 [LOST 3 EVENTS]'];
    expect(await lossesOf(lost[0], ...MAP, lost[1])).toMatchObject([{ line: 1, events: 5 }]);
    expect(await lossesOf(...lost, 'CPU:1 [LOST EVENTS]', ...MAP)).toMatchObject([
      { line: 1, events: undefined },
    ]);
  });

  test.each(['a CPU is LOST in 12 EVENTS', 'eth0: lost 3 packets', 'CPU:3 [LOST]'])(
    'is not %j',
    async (text) => {
      expect(await lossesOf(...MAP, text)).toEqual([]);
    },
  );
});

describe('hits that were lost', () => {
  test('show as a return without its entry', async () => {
    expect(await lossesOf(...MAP, RET, ...UNMAP)).toMatchObject([{ line: 4, events: 1 }]);
  });

  test('show as a return of an unmap without its entry, where its lock is not recorded', async () => {
    const ret = line(probe('unmap_ret', ''));
    const losses = await lossesOf(ENTRY, RET, UNMAP[0], ret, ret);
    expect(losses).toMatchObject([{ line: 5, events: 1 }]);
  });

  test('do not show as the return of a call that began before the trace', async () => {
    const other = { pid: 99, cpu: 1 };
    const { info, events } = await read(
      file(...MAP, line(probe('map_ret', '', { ret: BASE + 4096 }), other), ...LATER),
    );
    expect(info.losses).toEqual([]);
    expect(events).toHaveLength(2);
  });

  const filler = Array.from({ length: 11_000 }, () => '#');

  test('show as an entry without its return, with a lock or without', async () => {
    expect(await lossesOf(...MAP, ENTRY, ...filler, ...LATER)).toMatchObject([
      { line: 4, events: 1, message: expect.stringContaining('not seen to return') },
    ]);
    expect(await lossesOf(...MAP, ENTRY, MAP[1], ...filler, ...LATER)).toMatchObject([
      { line: 4, events: 1 },
    ]);
  });

  test('do not show as a call in which the trace ends, which is told', async () => {
    for (const cut of [[ENTRY], [ENTRY, MAP[1]]]) {
      const { info, events } = await read(file(...MAP, ...cut));
      expect(info.losses).toEqual([]);
      expect(events).toHaveLength(1);
      expect(info.assumptions).toContainEqual({
        line: 4,
        message: 'the trace ends inside 1 calls, which are left out',
      });
    }
  });

  test('keep no other call waiting for ever', async () => {
    const waiting = Array.from({ length: 700 }, (_, n) =>
      line(probe('unmap', 'eth0', { tlb_addr: BASE + n * 2048, size: 1 }), { pid: n + 1 }),
    );
    const ret = line(probe('unmap_ret', ''), { pid: 1 });
    const { info, events } = await read(
      file(waiting[0], ret, ...waiting.slice(1), ...filler, ...MAP),
    );
    expect(events.map(({ op }) => op)).toContain('map');
    expect(info.losses).toHaveLength(1);
  });

  test('show as maps that swiotlb_bounced announced and that were not recorded', async () => {
    const announce = line(bounced('eth0', 0x1000, 512));
    const pair = [announce, ENTRY, RET];
    expect(await lossesOf(...pair, ...pair, ...pair, announce)).toEqual([]);
    expect(await lossesOf(...pair, announce, announce, ...pair, ...pair)).toMatchObject([
      { events: 1, message: expect.stringContaining('swiotlb_bounced announces 1 maps more') },
    ]);
  });
});

describe('time that runs backwards', () => {
  const at = (seconds: number) =>
    MAP.map((_, n) => line(lockedMap('eth0', 0x1000, 512, BASE)[n], { seconds }));

  test('is told where it goes far back', async () => {
    expect(await lossesOf(...at(7), ...at(3), ...at(8))).toMatchObject([
      { line: 4, events: 1, message: expect.stringContaining('time runs backwards 1 times') },
    ]);
  });

  test('is none where clocks of CPUs differ a little', async () => {
    expect(await lossesOf(...at(7), ...at(6.9), ...at(7.1))).toEqual([]);
  });
});

test('losses of perf text are those of perf', async () => {
  const body = probe('mapx', 'eth0', {
    orig_addr: 0x1000,
    size: 1,
    ret: BASE,
    base: BASE,
    nslabs: 64,
  });
  const text = file(recordLine('perf', body), 'dd 5 [000] 5.0: PERF_RECORD_LOST lost 2');
  const { info, tally } = await read(text);
  expect(tally.format).toBe('perf-script');
  expect(info.losses).toMatchObject([{ events: 2 }]);
});
