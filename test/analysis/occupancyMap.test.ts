import { describe, expect, test } from 'vitest';
import { type OccupancyMap, watchOccupancy } from '../../src/analysis/occupancyMap.js';
import { coarser } from '../../src/analysis/timeline.js';
import type { Session } from '../../src/replay/session.js';
import { replay } from '../support/replaying.js';

const HEAD = `
  #swiotlb-trace 1
  #kernel version=v6.8 page_size=4096
`;

/** Replays a trace, and draws its map. */
async function mapOf(trace: string, alsoWatch?: (session: Session) => () => void) {
  let draw: (() => OccupancyMap) | undefined;
  const replayed = await replay('v6.8', trace, {
    observe: (session) => {
      const watch = watchOccupancy(session);
      const also = alsoWatch?.(session);
      draw = watch.map;
      return {
        onRequest(outcome) {
          watch.onRequest?.(outcome);
          also?.();
        },
        onRelease(outcome) {
          watch.onRelease?.(outcome);
          also?.();
        },
        atEnd: () => watch.atEnd?.(),
      };
    },
  });
  if (draw === undefined) throw new Error('nothing was replayed');
  return { ...replayed, map: draw() };
}

/** A pool in which devices come and go, seeded; the addresses are the model's own. */
function workload(nslabs: number, events: number): string {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const rows: string[] = [];
  const free = Array.from({ length: nslabs / 8 }, (_, n) => n * 8);
  const live: { slot: number; device: number }[] = [];
  while (rows.length < events) {
    const maps = live.length === 0 || (free.length > nslabs / 32 && random(100) < 55);
    const address = (slot: number): string => `0x${(0x80000000 + slot * 2048).toString(16)}`;
    if (maps) {
      const [slot] = free.splice(random(free.length), 1);
      const device = random(3);
      live.push({ slot, device });
      rows.push(`dev${device},map,0x100000,${2048 * (1 + random(8))},${address(slot)}`);
    } else {
      const [{ slot, device }] = live.splice(random(live.length), 1);
      free.push(slot);
      rows.push(`dev${device},unmap,,,${address(slot)}`);
    }
  }
  return `${HEAD}
    #pool name=default base=0x80000000 nslabs=${nslabs} areas=1 index=0
    dev,op,orig_addr,size,tlb_addr
    ${rows.join('\n')}`;
}

describe('the map of a small trace', () => {
  const TRACE = `${HEAD}
    #pool name=default base=0x80000000 nslabs=1024 areas=1 index=100
    dev,op,orig_addr,size,tlb_addr
    eth0,map,0x100000,4096,0x80032000
    sda,map,0x100000,2048,0x80033000
    eth0,unmap,,4096,0x80032000
    sda,map,0x100000,2048,
  `;

  test('has a row per slot that was ever taken and a column per event', async () => {
    const { map } = await mapOf(TRACE);
    expect(map).toMatchObject({ events: 4, columns: 4, eventsPerColumn: 1, omittedPools: 0 });
    const [{ fraction, owner, ...place }] = map.pools;
    expect(place).toMatchObject({ firstSlot: 100, slotsPerRow: 1, rows: 4, nslabs: 1024 });
    expect([...fraction]).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1]);
    const names = [...owner].map((n) => map.devices[n] ?? '');
    expect(names.slice(0, 4)).toEqual(['eth0', 'eth0', '', '']);
    expect(names.slice(8, 12)).toEqual(['', 'sda', 'sda', 'sda']);
  });

  test('shows nothing of a request that was refused', async () => {
    const { map } = await mapOf(`${HEAD}
      #pool name=default base=0x80000000 nslabs=64 areas=1 index=0
      dev,op,orig_addr,size,tlb_addr
      eth0,map,0x100000,262144,full
    `);
    expect(map).toMatchObject({ events: 1, columns: 1, pools: [] });
  });
});

describe('the map of a long trace', () => {
  test.each([
    { nslabs: 256, events: 300 },
    { nslabs: 1024, events: 1025 },
    { nslabs: 2048, events: 2500 },
  ])(
    'of $nslabs slots and $events events tells the mean of the kernel’s own list',
    async (shape) => {
      const { nslabs, events } = shape;
      const states: Uint8Array[] = [];
      const { map, report } = await mapOf(workload(nslabs, events), (session) => () => {
        states.push(
          Uint8Array.from(session.allocators[0].pool.list, (left) => (left === 0 ? 1 : 0)),
        );
      });
      expect(states).toHaveLength(events);
      const { columns, eventsPerColumn } = map;
      expect(columns).toBeLessThanOrEqual(512);
      const [{ firstSlot, slotsPerRow, rows, fraction }] = map.pools;
      expect(rows).toBeLessThanOrEqual(256);
      const expected = new Float64Array(fraction.length);
      for (let event = 0; event < events; event++) {
        const column = Math.floor(event / eventsPerColumn);
        const inColumn = Math.min(eventsPerColumn, events - column * eventsPerColumn);
        for (
          let slot = firstSlot;
          slot < Math.min(nslabs, firstSlot + rows * slotsPerRow);
          slot++
        ) {
          const row = Math.floor((slot - firstSlot) / slotsPerRow);
          expected[row * columns + column] += states[event][slot] / (inColumn * slotsPerRow);
        }
      }
      const differences = expected.filter((value, cell) => Math.abs(value - fraction[cell]) > 1e-5);
      expect(differences).toHaveLength(0);
      expect(columns).toBe(coarser(report.timeline, 512).buckets);
      expect(eventsPerColumn).toBe(coarser(report.timeline, 512).span);
    },
  );

  test('names the device that held at least half of a cell, and nobody else', async () => {
    // Four requests of two slots fill a row of eight: one row has an owner, the next has four, until two of them leave.
    const devices = ['a', 'a', 'a', 'b', 'a', 'b', 'c', 'd'];
    const rows = Array.from({ length: 1024 }, (_, n) => `${devices[n % 8]},map,0x100000,4096,`);
    const { map } = await mapOf(`${HEAD}
      #pool name=default base=0x80000000 nslabs=2048 areas=1 index=0
      dev,op,orig_addr,size,tlb_addr
      ${rows.join('\n')}
      a,unmap,,4096,0x80004000
      b,unmap,,4096,0x80005000
      ${'a,unmap,,4096,0x90000000\n'.repeat(8)}
    `);
    const [{ owner, fraction, slotsPerRow, rows: count }] = map.pools;
    expect([slotsPerRow, count]).toEqual([8, 256]);
    const last = Array.from({ length: count }, (_, row) => (row + 1) * map.columns - 1);
    expect(last.slice(0, 3).map((cell) => fraction[cell])).toEqual([1, 0.5, 1]);
    const owners = last.map((cell) => map.devices[owner[cell]] ?? 'nobody');
    expect(owners.slice(0, 4)).toEqual(['a', 'c', 'a', 'nobody']);
    expect(new Set(owners)).toEqual(new Set(['a', 'c', 'nobody']));
  });
});

describe('pools', () => {
  test('that are not drawn are counted', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const { map } = await mapOf(`${HEAD}
      ${names.map((name, n) => `#pool name=${name} base=0x${9 + n}0000000 nslabs=128 areas=1 index=0 restricted=1`).join('\n')}
      ${names.map((name) => `#device name=dev-${name} pool=${name}`).join('\n')}
      dev,op,orig_addr,size,tlb_addr
      ${names.map((name) => `dev-${name},map,0x100000,2048,`).join('\n')}
    `);
    expect(map.pools.map(({ pool }) => pool)).toEqual(['a', 'b', 'c', 'd']);
    expect(map.omittedPools).toBe(2);
  });
});
