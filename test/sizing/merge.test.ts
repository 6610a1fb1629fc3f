import { expect, test } from 'vitest';
import { mergeWorkloads } from '../../src/sizing/merge.js';
import type { Workload } from '../../src/sizing/workload.js';
import { eventsOf, workloadOf } from '../support/sizing.js';

async function timed(rows: string, path = 'test.csv'): Promise<Workload> {
  const trace = `
    #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
    time,cpu,dev,op,orig_addr,size,tlb_addr
    ${rows}`;
  return (await workloadOf('v6.12', trace, { path })).workload;
}

const FIRST = `10.0,0,d,map,0x1000,2048,0x80000000
  11.0,0,d,unmap,,2048,0x80000000`;
const SECOND = `10.5,1,d,map,0x5000,2048,0x80000000
  12.0,1,d,map,0x6000,2048,full
  12.5,1,d,unmap,,2048,0x80000000
  13.0,1,d,map,0x6000,2048,0x80000800`;

test('events come by the times of one clock; devices of one name and handles stay apart', async () => {
  const merged = mergeWorkloads([await timed(FIRST, 'a'), await timed(SECOND, 'b')], 'clock');
  expect(eventsOf(merged)).toEqual([
    [3, 'ask', 0],
    [3, 'ask', 1],
    [4, 'release', 0],
    [4, 'ask', 2],
    [5, 'release', 1],
    [6, 'ask', 1],
  ]);
  const [{ trace, device }] = merged.chunks;
  expect([...trace.subarray(0, 6)]).toEqual([0, 1, 0, 1, 1, 1]);
  expect([...device.subarray(0, 6)]).toEqual([0, 1, 0, 1, 1, 1]);
  expect(merged).toMatchObject({ requests: 4, cpus: 2, handles: 3, length: 6 });
  expect(merged.traces.map(({ path }) => path)).toEqual(['a', 'b']);
  expect(merged.pools).toHaveLength(1);
});

test('or as if all had begun at once', async () => {
  const late = FIRST.replaceAll('10.0', '90.0').replaceAll('11.0', '90.25');
  const merged = mergeWorkloads([await timed(SECOND), await timed(late)], 'start');
  expect(eventsOf(merged).map(([line]) => line)).toEqual([3, 3, 4, 4, 5, 6]);
});

test('refused requests give back their buffers at the event before which they did', async () => {
  const second = await timed(SECOND);
  expect([...second.held.at]).toEqual([3]);
  const merged = mergeWorkloads([await timed(FIRST), second], 'clock');
  expect([...merged.held.at]).toEqual([5]);
  expect([...merged.held.handle]).toEqual([2]);
  expect([...merged.held.device]).toEqual([1]);
});

test('an event without a time, or with an earlier one, keeps its place in its trace', async () => {
  const odd = `1,0,d,map,0x1000,2048,0x80000000
    ,0,d,map,0x2000,2048,0x80000800
    9,0,d,map,0x3000,2048,0x80001000
    4,0,d,map,0x4000,2048,0x80001800`;
  const other = `5,0,e,map,0x1000,2048,0x80000000
    20,0,e,map,0x2000,2048,0x80000800`;
  const merged = mergeWorkloads([await timed(other), await timed(odd)], 'clock');
  expect(eventsOf(merged).map(([line]) => line)).toEqual([3, 4, 3, 5, 6, 4]);
});

test('a trace without times is refused by name', async () => {
  const silent = FIRST.replace(/1[01]\.0/g, '');
  const workloads = [await timed(FIRST), await timed(silent, 'silent.csv')];
  expect(() => mergeWorkloads(workloads, 'clock')).toThrow(/^silent\.csv: does not tell the times/);
});
