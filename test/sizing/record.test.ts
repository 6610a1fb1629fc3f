import { expect, test } from 'vitest';
import { eventsOf, workloadOf } from '../support/sizing.js';

const HEAD = `
  #pool name=default base=0x80000000 nslabs=8 areas=1 index=0
  dev,op,orig_addr,size,tlb_addr`;

test('releases name the request whose buffer they give back, and handles are used again', async () => {
  const { workload } = await workloadOf(
    'v6.12',
    `${HEAD}
    d,map,0x1000,2048,0x80000000
    d,map,0x2000,2048,0x80000800
    d,unmap,,2048,0x80000000
    d,map,0x3000,2048,0x80001000
    d,unmap,,2048,0x80000800`,
  );
  expect(eventsOf(workload)).toEqual([
    [3, 'ask', 0],
    [4, 'ask', 1],
    [5, 'release', 0],
    [6, 'ask', 0],
    [7, 'release', 1],
  ]);
  expect(workload).toMatchObject({ requests: 3, handles: 2, cpus: 1, length: 5 });
});

test('releases of buffers older than the trace, and second ones, are counted and left out', async () => {
  const { workload } = await workloadOf(
    'v6.12',
    `${HEAD}
    d,unmap,,5000,0x80002000
    d,map,0x1000,2048,0x80000000
    d,unmap,,2048,0x80000000
    d,unmap,,2048,0x80000000`,
  );
  expect(workload.traces).toMatchObject([{ olderBuffers: 1, olderSlots: 3, strayReleases: 1 }]);
  expect(workload.length).toBe(2);
});

test('a request that the model refuses and the recorded kernel served keeps its release', async () => {
  const { workload } = await workloadOf(
    'v6.12',
    `${HEAD}
    d,map,0x1000,16384,0x80000000
    d,map,0x5000,2048,0x80008000
    d,unmap,,2048,0x80008000
    d,unmap,,16384,0x80000000`,
  );
  expect(eventsOf(workload).slice(2)).toEqual([
    [5, 'release', 1],
    [6, 'release', 0],
  ]);
  expect(workload.heldTally.requests).toBe(0);
});

test('a refused request holds its buffer for the median lifetime of its device, counted in events', async () => {
  const { workload } = await workloadOf(
    'v6.12',
    `${HEAD}
    d,map,0x1000,2048,0x80000000
    e,map,0x7000,2048,0x80000800
    d,unmap,,2048,0x80000000
    d,map,0x2000,16384,full
    e,map,0x8000,2048,0x80001000
    e,map,0x9000,2048,0x80001800
    e,map,0xa000,2048,0x80002000`,
  );
  expect(workload.heldTally).toEqual({
    requests: 1,
    untilRetry: 0,
    medianLifetime: 1,
    forever: 0,
  });
  // Asked for by event 3; the one buffer of its device lived from event 0 to event 2.
  expect([...workload.held.at]).toEqual([6]);
});

test('but it is gone when the same buffer is asked for again', async () => {
  const { workload } = await workloadOf(
    'v6.12',
    `${HEAD}
    d,map,0x1000,2048,0x80000000
    e,map,0x7000,2048,0x80000800
    e,map,0x8000,2048,0x80001000
    d,unmap,,2048,0x80000000
    d,map,0x2000,2048,full
    d,map,0x2000,4096,0x80002000
    d,map,0x2000,2048,0x80000000`,
  );
  expect(workload.heldTally).toMatchObject({ requests: 1, untilRetry: 1 });
  expect([...workload.held.at]).toEqual([6]);
});

test('and stays where the trace tells of no release at all', async () => {
  const { workload } = await workloadOf('v6.12', `${HEAD}\n    d,map,0x1000,2048,full`);
  expect(workload.heldTally).toMatchObject({ requests: 1, forever: 1 });
  expect([...workload.held.at]).toEqual([1]);
});
