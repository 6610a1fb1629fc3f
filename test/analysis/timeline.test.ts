import { describe, expect, it } from 'vitest';
import {
  coarser,
  MOST_BUCKETS,
  meanUsed,
  NAMED_DEVICES,
  type Timeline,
} from '../../src/analysis/timeline.js';
import { type TimelineWatch, watchTimeline } from '../../src/analysis/timelineWatch.js';
import type { Observer } from '../../src/replay/outcome.js';
import { replay } from '../support/replaying.js';

/** What an event leaves behind, by the simplest of bookkeeping. */
interface State {
  line: number;
  time: number;
  used: number;
  failed: boolean;
  /** Slots by device. */
  live: Map<string, number>;
  /** Bytes that the event mapped. */
  bounced: number;
}

/** One state per event, in order. */
function watchStates(states: State[]): Observer {
  const byAddress = new Map<number, { device: string; slots: number }>();
  function note(line: number, time: number, failed: boolean, bounced: number): void {
    const live = new Map<string, number>();
    let used = 0;
    for (const { device, slots } of byAddress.values()) {
      live.set(device, (live.get(device) ?? 0) + slots);
      used += slots;
    }
    states.push({ line, time, used, failed, live, bounced });
  }
  return {
    onRequest({ line, time, size, recordedAddr, allocation, answer, device }) {
      const failed = allocation < 0;
      if (!failed) byAddress.set(recordedAddr, { device: device.name, slots: answer.plan.nslots });
      note(line, time, failed, failed ? 0 : size);
    },
    onRelease({ line, time, recordedAddr }) {
      byAddress.delete(recordedAddr);
      note(line, time, false, 0);
    },
  };
}

const NOTHING: State = {
  line: 0,
  time: Number.NaN,
  used: 0,
  failed: false,
  live: new Map(),
  bounced: 0,
};

const HEAD = '#pool name=default base=0x80000000 nslabs=4096 index=0\n';

/**
 * Maps and unmaps of `devices` devices, the later the larger, in an order that looks random. The
 * recorded addresses are names by which an unmap finds its map.
 */
function workload(events: number, devices: number): string {
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const live: string[] = [];
  let rows = `${HEAD}time,dev,op,orig_addr,size,tlb_addr\n`;
  for (let n = 0; n < events; n++) {
    const time = (n / 8).toFixed(3);
    if (live.length > 0 && random(live.length) > 60) {
      rows += `${time},${live.splice(random(live.length), 1)[0]}\n`;
      continue;
    }
    const device = random(devices);
    const size = 1 + random(4096 * (device + 1));
    const address = `0x${(0x80000000 + n * 2048).toString(16)}`;
    rows += `${time},dev${device},map,0x5000,${size},${address}\n`;
    live.push(`dev${device},unmap,,,${address}`);
  }
  return rows;
}

async function timelineOf(trace: string, states: State[] = []): Promise<Timeline> {
  let watch: TimelineWatch | undefined;
  await replay('v6.9', trace, {
    observeFirst: (session) => {
      watch = watchTimeline(session);
      return [watch, watchStates(states)];
    },
  });
  return (watch as TimelineWatch).timeline();
}

/** The states that a bucket is about. */
function statesIn({ span }: Timeline, states: readonly State[], bucket: number): State[] {
  return states.slice(bucket * span, (bucket + 1) * span);
}

/** Holds every column of a timeline against the states. */
function expectTrue(timeline: Timeline, states: readonly State[]): void {
  expect(timeline.buckets).toBe(Math.ceil(states.length / timeline.span));
  const means = meanUsed(timeline);
  for (let n = 0; n < timeline.buckets; n++) {
    const own = statesIn(timeline, states, n);
    const last = own.at(-1) as State;
    const reach = [states[n * timeline.span - 1] ?? NOTHING, ...own];
    const most = Math.max(...reach.map(({ used }) => used));
    const fullest = reach.filter(({ used }) => used === most)[0];
    const [first] = own;
    expect([n, timeline.firstLine[n], timeline.lastLine[n]]).toEqual([n, first.line, last.line]);
    expect([timeline.firstTime[n], timeline.lastTime[n]]).toEqual([first.time, last.time]);
    expect([timeline.most[n], timeline.used[n]]).toEqual([most, last.used]);
    expect(timeline.live[n]).toBe(most);
    const sum = own.reduce((sum, { used }) => sum + used, 0);
    expect(means[n]).toBe(sum / own.length);
    expect(timeline.failed[n]).toBe(own.filter(({ failed }) => failed).length);
    expect(timeline.bounced[n]).toBe(own.reduce((sum, { bounced }) => sum + bounced, 0));
    for (const { name, slots, least } of timeline.devices) {
      expect([n, name, slots[n]]).toEqual([n, name, fullest.live.get(name) ?? 0]);
      expect(least[n]).toBe(Math.min(...reach.map(({ live }) => live.get(name) ?? 0)));
    }
  }
}

describe('the timeline', () => {
  it('tells of a short trace event by event', async () => {
    const timeline = await timelineOf(
      `${HEAD}time,dev,op,orig_addr,size,tlb_addr
      1.5,usb,map,0x5000,4096,0x80000000
      ,net,map,0x5000,2048,0x80001000
      ,usb,unmap,,4096,0x80000000
      2,net,map,0x5000,262145,full`,
    );
    expect(timeline).toMatchObject({
      events: 4,
      span: 1,
      buckets: 4,
      clock: 'seconds',
      unnamed: 0,
    });
    expect([...timeline.firstLine]).toEqual([3, 4, 5, 6]);
    expect([...timeline.firstTime]).toEqual([1.5, Number.NaN, Number.NaN, 2]);
    expect([...timeline.most]).toEqual([2, 3, 3, 1]);
    expect([...timeline.used]).toEqual([2, 3, 1, 1]);
    expect([...timeline.failed]).toEqual([0, 0, 0, 1]);
    expect([...meanUsed(timeline)]).toEqual([2, 3, 1, 1]);
    expect([...timeline.capacity]).toEqual([4096, 4096, 4096, 4096]);
    expect([...timeline.longestFree]).toEqual([128, 128, 128, 128]);
    expect([...timeline.liveBytes]).toEqual([4096, 6144, 6144, 2048]);
    const [usb, net] = timeline.devices;
    expect(usb).toMatchObject({ name: 'usb', peakSlots: 2 });
    expect([...usb.bytes]).toEqual([4096, 4096, 4096, 0]);
    expect([...usb.bounced]).toEqual([4096, 0, 0, 0]);
    expect([...net.slots]).toEqual([0, 1, 1, 1]);
  });

  it('keeps what a bookkeeper of every event would tell, in fewer buckets the longer the trace', async () => {
    const states: State[] = [];
    const timeline = await timelineOf(workload(9000, 3), states);
    expect(timeline.span).toBe(16);
    expect(timeline.buckets).toBeLessThanOrEqual(MOST_BUCKETS);
    expectTrue(timeline, states);
    expectTrue(coarser(timeline, 10), states);
    expect(coarser(timeline, 10).buckets).toBeLessThanOrEqual(10);
  });

  it('names the devices that held most, however late they came, and sums up the others', async () => {
    const states: State[] = [];
    const trace = workload(4000, 60);
    const timeline = await timelineOf(trace, states);
    const peaks = new Map<string, number>();
    for (const { live } of states) {
      for (const [name, slots] of live) peaks.set(name, Math.max(slots, peaks.get(name) ?? 0));
    }
    expect(timeline.devices).toHaveLength(NAMED_DEVICES);
    expect(timeline.unnamed).toBe(60 - NAMED_DEVICES);
    const [largest] = [...peaks].sort(([, a], [, b]) => b - a);
    expect(timeline.devices[0]).toMatchObject({ name: largest[0], peakSlots: largest[1] });
    for (let n = 0; n < timeline.buckets; n++) {
      const named = timeline.devices.reduce((sum, { slots }) => sum + slots[n], 0);
      expect(named).toBeLessThanOrEqual(timeline.live[n]);
    }
  });

  it('tells in one event of what the recorded kernel had refused', async () => {
    const timeline = await timelineOf(
      `${HEAD}dev,op,orig_addr,size,tlb_addr\nusb,map,0x5000,4096,full\nusb,map,0x5000,64,full`,
    );
    expect(timeline).toMatchObject({ events: 2, clock: 'none' });
    expect([...timeline.most]).toEqual([2, 1]);
    expect([...timeline.live]).toEqual([2, 1]);
    expect([...timeline.used]).toEqual([0, 0]);
    expect([...meanUsed(timeline)]).toEqual([0, 0]);
  });

  it('takes times without any fraction for a counter', async () => {
    const { clock } = await timelineOf(`${HEAD}time,dev,op,orig_addr,size\n1,usb,map,0x5000,64`);
    expect(clock).toBe('counter');
  });

  it('is empty where nothing happens', async () => {
    const { clock, events, buckets } = await timelineOf(
      `${HEAD}dev,op,size,tlb_addr\nusb,sync_for_cpu,64,0x80000000`,
    );
    expect({ clock, events, buckets }).toEqual({ clock: 'none', events: 0, buckets: 0 });
  });
});
