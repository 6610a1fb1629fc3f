import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Op } from '../../src/events/batch.js';
import {
  type Allocations,
  addAllocation,
  createAllocations,
  describeAllocation,
  eachLive,
  endAllocation,
  findAllocation,
  findAround,
  findReleased,
  isLive,
  lineOf,
} from '../../src/replay/allocations.js';
import { emptyAnswer } from '../../src/swiotlb/allocator.js';

const BASE = 0x80000000;

/** Adds an allocation of `nslots` slots that begins `offset` bytes before its address. */
function add(
  table: Allocations,
  address: number,
  nslots = 1,
  offset = 0,
  line = 1,
  refused = false,
): number {
  const number = addAllocation(table, address, refused);
  const answer = emptyAnswer();
  Object.assign(answer.plan, { nslots, offset });
  const request = { line, op: Op.map, deviceNumber: 0, size: nslots * 2048, dir: 0 };
  describeAllocation(table, number, { ...request, answer });
  return number;
}

/** The line of what was released last at an address; undefined if nothing was. */
function releasedLine(table: Allocations, address: number): number | undefined {
  const number = findReleased(table, address);
  return number < 0 ? undefined : lineOf(table, number);
}

function liveNumbers(table: Allocations): number[] {
  const numbers: number[] = [];
  eachLive(table, (number) => numbers.push(number));
  return numbers.sort((a, b) => a - b);
}

const slotOf = (address: number): number => Math.floor(address / 2048);

describe('the table of allocations', () => {
  it('finds an allocation by exactly the address that the trace knows', () => {
    const table = createAllocations();
    const number = add(table, BASE + 0x210, 4, 0x210);
    expect(findAllocation(table, BASE + 0x210)).toBe(number);
    expect(findAllocation(table, BASE)).toBe(-1);
    expect(findAllocation(table, BASE + 0x800 + 0x210)).toBe(-1);
    expect(isLive(table, number)).toBe(true);
  });

  it('tells two addresses in one slot apart', () => {
    const table = createAllocations();
    const low = add(table, BASE + 0x10);
    const high = add(table, BASE + 0x20);
    expect([BASE + 0x10, BASE + 0x20].map((at) => findAllocation(table, at))).toEqual([low, high]);
    endAllocation(table, low);
    expect([BASE + 0x10, BASE + 0x20].map((at) => findAllocation(table, at))).toEqual([-1, high]);
  });

  it('gives the newest first where an address is live twice', () => {
    const table = createAllocations();
    const older = add(table, BASE);
    const newer = add(table, BASE);
    expect(findAllocation(table, BASE)).toBe(newer);
    endAllocation(table, newer);
    expect(findAllocation(table, BASE)).toBe(older);
  });

  it('ends an older allocation of an address before a newer one', () => {
    const table = createAllocations();
    const numbers = [add(table, BASE), add(table, BASE), add(table, BASE)];
    endAllocation(table, numbers[0]);
    endAllocation(table, numbers[1]);
    expect(findAllocation(table, BASE)).toBe(numbers[2]);
    expect(table.live).toBe(1);
  });

  it('remembers what was released last at an address, until something else is released there', () => {
    const table = createAllocations();
    endAllocation(table, add(table, BASE + 0x10, 1, 0, 7));
    expect(releasedLine(table, BASE + 0x10)).toBe(7);
    expect(releasedLine(table, BASE + 0x20)).toBeUndefined();
    const second = add(table, BASE + 0x20, 1, 0, 8);
    expect(releasedLine(table, BASE + 0x10)).toBe(7);
    endAllocation(table, second);
    expect(releasedLine(table, BASE + 0x10)).toBeUndefined();
    expect(releasedLine(table, BASE + 0x20)).toBe(8);
  });

  it('finds the live allocation around an address by its slots', () => {
    const table = createAllocations();
    // The data begins 0x210 bytes into the first of 4 slots.
    const number = add(table, BASE + 0x210, 4, 0x210);
    expect(findAround(table, BASE + 0x400)).toBe(number);
    expect(findAround(table, BASE + 4 * 2048 - 1)).toBe(number);
    expect(findAround(table, BASE + 4 * 2048)).toBe(-1);
    expect(findAround(table, BASE - 1)).toBe(-1);
    endAllocation(table, number);
    expect(findAround(table, BASE + 0x400)).toBe(-1);
  });

  it('remembers a request that the model refused without counting it as live', () => {
    const table = createAllocations();
    const number = addAllocation(table, BASE, true);
    expect(findAllocation(table, BASE)).toBe(number);
    expect(isLive(table, number)).toBe(false);
    expect(findAround(table, BASE)).toBe(-1);
    expect(table.live).toBe(0);
    endAllocation(table, number);
    expect(findAllocation(table, BASE)).toBe(-1);
    expect(table.live).toBe(0);
  });

  it('takes a refused one to be gone when the trace has its slot again', () => {
    const table = createAllocations();
    const served = add(table, BASE);
    const older = addAllocation(table, BASE + 0x10, true);
    const newer = addAllocation(table, BASE + 0x20, true);
    expect(findAllocation(table, BASE + 0x10)).toBe(-1);
    expect(findAllocation(table, BASE + 0x20)).toBe(newer);
    for (let n = 0; n < 1000; n++) addAllocation(table, BASE + n, true);
    expect(newer).toBe(older);
    expect(table.length).toBe(2);
    expect(findAllocation(table, BASE)).toBe(served);
  });

  it('uses few numbers for thousands of maps and unmaps', () => {
    const table = createAllocations();
    for (let n = 0; n < 50_000; n++) {
      const number = add(table, BASE + (n % 100) * 2048);
      if (n % 3 !== 0) add(table, BASE + (n % 100) * 2048 + 64);
      endAllocation(table, number);
      if (n % 3 !== 0) endAllocation(table, findAllocation(table, BASE + (n % 100) * 2048 + 64));
    }
    expect(table.live).toBe(0);
    expect(table.length).toBe(2);
    expect(liveNumbers(table)).toEqual([]);
  });

  it('holds many live ones, far apart and above 2^31, while its index grows', () => {
    const table = createAllocations();
    const addresses = Array.from({ length: 20_000 }, (_, n) => BASE + n * 2048 * 2 ** (n % 20));
    const numbers = addresses.map((address) => add(table, address));
    expect(new Set(numbers).size).toBe(addresses.length);
    expect(table.live).toBe(addresses.length);
    // The same address comes from different n; the newest is the one that is found.
    const newest = new Map(addresses.map((address, n) => [address, numbers[n]]));
    for (const [address, number] of newest) expect(findAllocation(table, address)).toBe(number);
  });

  it('remembers releases while its index grows', () => {
    const table = createAllocations();
    endAllocation(table, add(table, BASE, 1, 0, 7));
    for (let n = 1; n < 5000; n++) add(table, BASE + n * 2048);
    expect(releasedLine(table, BASE)).toBe(7);
  });

  it('agrees with a list under any order of maps and unmaps', () => {
    const step = fc.record({
      ends: fc.boolean(),
      // Few slots and offsets, so that addresses meet.
      address: fc
        .tuple(fc.nat({ max: 5 }), fc.constantFrom(0, 0x10, 0x400))
        .map(([slot, offset]) => BASE + slot * 2048 + offset),
      refused: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = createAllocations();
        let line = 0;
        const pending: { address: number; number: number; refused: boolean; line: number }[] = [];
        for (const { ends, address, refused } of steps) {
          const at = pending.findLastIndex((entry) => entry.address === address);
          expect(findAllocation(table, address)).toBe(at < 0 ? -1 : pending[at].number);
          if (!ends) {
            const newest = pending.findLastIndex(
              (entry) => slotOf(entry.address) === slotOf(address),
            );
            if (refused && pending[newest]?.refused) pending.splice(newest, 1);
            const number = add(table, address, 1, 0, ++line, refused);
            pending.push({ address, number, refused, line });
          } else if (at >= 0) {
            endAllocation(table, pending[at].number);
            expect(releasedLine(table, address)).toBe(pending[at].line);
            pending.splice(at, 1);
          }
          const live = pending.filter((entry) => !entry.refused).map(({ number }) => number);
          expect(table.live).toBe(live.length);
          expect(liveNumbers(table)).toEqual(live.sort((a, b) => a - b));
        }
        expect(table.length).toBeLessThanOrEqual(steps.length);
      }),
    );
  });
});
