import { describe, expect, test } from 'vitest';
import { swiotlbReplay } from '../support/cli.js';

interface TraceEvent {
  ph: string;
  name: string;
  pid: number;
  tid?: number;
  ts: number;
  dur?: number;
  args: Record<string, unknown>;
}

function picture(input: string, ...args: string[]): TraceEvent[] {
  const all = ['convert', '-', '--to', 'perfetto', ...args];
  const { status, stdout } = swiotlbReplay(all, { input });
  expect(status).toBe(0);
  return JSON.parse(stdout).traceEvents;
}

function of(events: TraceEvent[], ph: string, name?: string): TraceEvent[] {
  return events.filter((event) => event.ph === ph && (name === undefined || event.name === name));
}

/** Process and thread names, by `pid` or `pid:tid`. */
function namesIn(events: TraceEvent[]): Map<string, unknown> {
  return new Map(
    of(events, 'M').map(({ pid, tid, args }) => [
      tid === undefined ? `${pid}` : `${pid}:${tid}`,
      args.name,
    ]),
  );
}

const TRACE = `#swiotlb-trace 1
#kernel version=v6.8 page_size=4096
#pool name=default base=0x80000000 nslabs=256 areas=2 index=0:0
time,cpu,dev,op,orig_addr,size,dir,tlb_addr
1.000001,0,disk,map,0x101000,4096,to_device,0x80000000
1.000003,1,"<b>\u202enet",map,0x200000,1500,to_device,0x80040000
1.000004,0,disk,map,0x300000,262144,to_device,full
1.000006,0,disk,unmap,,2048,to_device,0x80000000
1.000009,0,disk,map,0x102000,2048,to_device,0x80001000
`;

describe('a Perfetto trace', () => {
  const events = picture(TRACE);
  const names = namesIn(events);

  test('has a slice for each mapping, with its times in microseconds', () => {
    const inOrder = of(events, 'X').sort((a, b) => a.ts - b.ts);
    const slices = inOrder.map(({ pid, ts, dur, name, args }) => [
      names.get(`${pid}`),
      ts,
      dur,
      name,
      args.slot,
      args.live ?? false,
    ]);
    expect(slices).toEqual([
      ['disk', 1_000_001, 5, 'map 4 KiB', 0, false],
      ['<b>\u202enet', 1_000_003, 6, 'map 1500 bytes', 128, true],
      ['disk', 1_000_009, 0, 'map 2 KiB', 2, true],
    ]);
  });

  test('counts the slots of pools, areas and devices', () => {
    const counted = (name: string) => of(events, 'C', name).map(({ ts, args }) => [ts, args.slots]);
    expect(counted('default: slots')).toEqual([
      [1_000_001, 2],
      [1_000_003, 3],
      [1_000_006, 1],
      [1_000_009, 2],
    ]);
    expect(counted('default: area 1')).toEqual([[1_000_003, 1]]);
    const disk = [...names].find(([, name]) => name === 'disk')?.[0];
    const slots = of(events, 'C', 'slots').filter(({ pid }) => `${pid}` === disk);
    expect(slots.map(({ args }) => args.slots)).toEqual([2, 0, 1]);
  });

  test('has findings and refusals as instants, at their events', () => {
    const instants = of(events, 'i').map(({ name, ts, args }) => [name, ts, args.line]);
    expect(instants).toContainEqual(['pool-full', 1_000_004, 7]);
    expect(instants).toContainEqual(['refused', 1_000_004, 7]);
    expect(instants).toContainEqual(['size-mismatch', 1_000_006, 8]);
    expect(instants.filter(([name]) => name === 'leak')).toHaveLength(2);
  });

  test('passes no name on that a terminal or a page would act on', () => {
    const { stdout } = swiotlbReplay(['convert', '-', '--to', 'perfetto'], { input: TRACE });
    expect(stdout).not.toContain('\u202e');
  });

  test('tells nothing of whose it is, if so asked', () => {
    const text = JSON.stringify(picture(TRACE, '--anonymize'));
    expect(text).not.toMatch(/disk|net|0x8000|0x101000|0x200000/);
    expect(text).toContain('dev0');
  });

  test('of a part has that part, with what was live before it', () => {
    const part = picture(
      TRACE,
      '--from',
      '1.000004s',
      '--to',
      '1.000006s',
      '--only-device',
      'disk',
    );
    expect(of(part, 'X').map(({ ts, dur }) => [ts, dur])).toEqual([[1_000_004, 2]]);
    expect([...namesIn(part).values()]).not.toContain('<b>\u202enet');
    expect(of(part, 'C').every(({ ts }) => ts >= 1_000_004 && ts <= 1_000_006)).toBe(true);
  });
});

test.each([
  ['no times', 'x', [1, 2]],
  ['a counter for a clock', 'time', [7, 9]],
])('a trace with %s has a microsecond a tick', (_, column, starts) => {
  const trace = `#kernel version=v6.8
#pool name=default base=0x80000000 nslabs=128
${column},dev,op,orig_addr,size
7,a,map,0x1000,4096
9,a,map,0x2000,4096
`;
  expect(of(picture(trace), 'X').map(({ ts }) => ts)).toEqual(starts);
});

test('slices of a lane do not overlap, whatever the order of the ends', () => {
  const { stdout } = swiotlbReplay(['generate', '--shape', 'mixed', '--events', '4K']);
  const events = picture(stdout);
  const ends = new Map<string, number>();
  const slices = of(events, 'X').sort((a, b) => a.ts - b.ts);
  expect(slices.length).toBeGreaterThan(1500);
  for (const { pid, tid, ts, dur = 0 } of slices) {
    const lane = `${pid}:${tid}`;
    expect(ts).toBeGreaterThanOrEqual((ends.get(lane) ?? 0) - 1e-3);
    ends.set(lane, ts + dur);
  }
  expect(of(events, 'i')).toEqual([]);
});
