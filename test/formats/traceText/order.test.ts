import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBatch } from '../../../src/events/batch.js';
import { createCallQueue, newCall } from '../../../src/formats/traceText/calls.js';
import { read } from '../../support/reading.js';
import {
  BASE,
  type Body,
  file,
  line,
  lockedMap,
  lockedUnmap,
  type Place,
  probe,
} from '../../support/traceText.js';

/** A call in flight: its records, and which of them is made under the lock. */
interface Flight {
  bodies: Body[];
  next: number;
  lock: number;
  /** The name under which the event is known again. */
  event: string;
  place: Partial<Place>;
}

/** What a CPU does next: goes on with its innermost call, or begins another one in an interrupt. */
interface Step {
  cpu: number;
  begins: boolean;
  isMap: boolean;
}

const STEPS = fc.array(fc.record({ cpu: fc.nat(3), begins: fc.boolean(), isMap: fc.boolean() }), {
  minLength: 1,
  maxLength: 200,
});

const TASKS = ['<idle>', 'dd', 'kworker/1:0H', 'a [001] b'];

/** Interleaved calls as lines, and the events in the order of their locks. */
function interleave(
  steps: readonly Step[],
  style: 'locks' | 'locks and returns',
): [string, string[]] {
  const stacks: Flight[][] = [[], [], [], []];
  const lines: string[] = [];
  const locked: string[] = [];
  let calls = 0;

  function begin({ cpu, isMap }: Step): void {
    const address = BASE + 2048 * calls;
    const device = `dev${calls++}`;
    const bodies = isMap
      ? lockedMap(device, address, 512, address)
      : lockedUnmap(device, address, 512);
    if (!isMap && style === 'locks and returns') bodies.push(probe('unmap_ret', ''));
    // Hit by its breakpoint, a kprobe tells nothing of what it interrupted.
    const level = cpu === 3 ? 'Z' : '.sh'[stacks[cpu].length];
    // The idle task is one on each CPU; what interrupts a task is under its number.
    const place = { task: TASKS[cpu], pid: cpu === 0 || cpu === 3 ? 0 : 100 + cpu, cpu, level };
    const event = `${isMap ? 'map' : 'unmap'} ${device} ${address}`;
    stacks[cpu].push({ bodies, next: 0, lock: 1, event, place });
  }

  function go(cpu: number): void {
    const flight = stacks[cpu].at(-1);
    if (flight === undefined) return;
    lines.push(
      line(flight.bodies[flight.next], { ...flight.place, seconds: 1 + lines.length / 1e6 }),
    );
    if (flight.next === flight.lock) locked.push(flight.event);
    if (++flight.next === flight.bodies.length) stacks[cpu].pop();
  }

  for (const step of steps) {
    if (stacks[step.cpu].length === 0 || (step.begins && stacks[step.cpu].length < 3)) begin(step);
    go(step.cpu);
  }
  for (const cpu of stacks.keys()) while (stacks[cpu].length > 0) go(cpu);
  return [file(...lines), locked];
}

describe('calls whose locks are recorded', () => {
  test.each(['locks', 'locks and returns'] as const)(
    'come in the order of the locks however they are nested and interleaved: %s',
    async (style) => {
      await fc.assert(
        fc.asyncProperty(STEPS, async (steps) => {
          const [text, locked] = interleave(steps, style);
          const { events, info } = await read(text);
          expect(events.map(({ op, device, result }) => `${op} ${device} ${result}`)).toEqual(
            locked,
          );
          expect(info.losses).toEqual([]);
          const lines = events.map((event) => event.line);
          expect(lines).toEqual([...lines].sort((a, b) => a - b));
        }),
        { numRuns: 1000 },
      );
    },
  );

  test('a task that moves to another CPU inside its call stays one call', async () => {
    const [entry, lock, ret] = lockedMap('eth0', 0x1000, 512, BASE);
    const { events } = await read(
      file(
        line(entry, { pid: 9, cpu: 0 }),
        line(lock, { pid: 9, cpu: 2 }),
        line(lockedUnmap('sda', BASE + 4096, 512)[0], { pid: 0, cpu: 0 }),
        line(ret, { pid: 9, cpu: 3 }),
        line(lockedUnmap('sda', BASE + 4096, 512)[1], { pid: 0, cpu: 0 }),
      ),
    );
    expect(events).toMatchObject([
      // The search begins with the area of the CPU on which the lock was taken.
      { op: 'map', line: 2, cpu: 2, result: BASE },
      { op: 'unmap', line: 5, cpu: 0 },
    ]);
  });
});

describe('calls without a record of their lock', () => {
  test('take effect at a map’s return and at an unmap’s entry', async () => {
    const [entry, , ret] = lockedMap('eth0', 0x1000, 512, BASE);
    const unmap = probe('unmap', 'eth0', { tlb_addr: BASE + 4096, size: 512, dir: 1 });
    const { events } = await read(
      file(
        line(entry),
        line(unmap, { pid: 7, cpu: 1 }),
        line(ret),
        line(probe('unmap_ret', ''), { pid: 7, cpu: 1 }),
      ),
    );
    expect(events).toMatchObject([
      { op: 'unmap', line: 2, cpu: 1 },
      { op: 'map', line: 3, cpu: 0 },
    ]);
  });

  test('a free that turns out to be of a page of no pool is none', async () => {
    const free = (page: string) => probe('free', 'eth0', { page, size: 4096 });
    const { events, info } = await read(
      file(
        line(free('0xfffffdffc0400e00')),
        line(probe('free_ret', '', { ret: 0 })),
        ...lockedMap('eth0', 0x1000, 512, BASE).map((body) => line(body)),
      ),
    );
    expect(events).toMatchObject([{ op: 'map' }]);
    expect(info.losses).toEqual([]);
  });

  test('the first free of a trace has the address that its release tells', async () => {
    const { events } = await read(
      file(
        line(probe('free', 'eth0', { page: '0xfffffdffc0400e00', size: 4096 })),
        line(probe('release', 'eth0', { tlb_addr: BASE, pool: BASE })),
        line(probe('release_locked', '', { used: 1 })),
        line(probe('free_ret', '', { ret: 1 })),
      ),
    );
    expect(events).toMatchObject([{ op: 'free', line: 3, result: BASE, size: 4096 }]);
  });
});

describe('the queue of calls', () => {
  const ADD = fc.record({ at: fc.integer({ min: 1, max: 50 }), isHeld: fc.boolean() });

  test('hands on by place, and nothing behind a call that is held', () => {
    fc.assert(
      fc.property(fc.array(ADD, { maxLength: 40 }), (adds) => {
        const queue = createCallQueue();
        const batch = createBatch(64);
        const calls = adds.map(({ at, isHeld }, n) => {
          const call = Object.assign(newCall(0, n, { time: n, cpu: 0 }, n), { at });
          if (isHeld) queue.hold(call);
          return { call, isHeld };
        });
        for (const { call, isHeld } of calls) if (!isHeld) queue.add(call);
        queue.drain(batch);
        const places = () => [...batch.line.subarray(0, batch.length)];
        const free = adds.filter(({ isHeld }) => !isHeld).map(({ at }) => at);
        const first = Math.min(...adds.filter(({ isHeld }) => isHeld).map(({ at }) => at));
        expect(places()).toEqual(free.filter((at) => at < first).sort((a, b) => a - b));
        for (const { call, isHeld } of calls) if (isHeld) queue.add(call);
        expect(queue.drain(batch)).toBe(true);
        expect(places()).toEqual(adds.map(({ at }) => at).sort((a, b) => a - b));
        expect(queue.held()).toBe(0);
      }),
    );
  });

  test('stops where the batch is full, and goes on in the next', () => {
    const queue = createCallQueue();
    for (const at of [3, 1, 2])
      queue.add(Object.assign(newCall(0, at, { time: at, cpu: 0 }, 0), { at }));
    const batch = createBatch(2);
    expect(queue.drain(batch)).toBe(false);
    expect([...batch.line]).toEqual([1, 2]);
    batch.length = 0;
    expect(queue.drain(batch)).toBe(true);
    expect(batch.line[0]).toBe(3);
  });
});
