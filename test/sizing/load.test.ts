import { expect, test } from 'vitest';
import { copiesAt, createCpuMap } from '../../src/sizing/load.js';

const of = (scale: number) => ({ scale, cpus: undefined });

test('whole scales copy every request', () => {
  expect([0, 1, 2].map((event) => copiesAt(of(3), event))).toEqual([3, 3, 3]);
});

test('a scale between copies that share of the requests, of any pattern in step with a power of two', () => {
  for (const step of [1, 2, 3, 4, 8]) {
    const events = Array.from({ length: 4000 }, (_, n) => n * step);
    const copies = events.reduce((sum, event) => sum + copiesAt(of(1.5), event), 0);
    expect(Math.abs(copies - 6000)).toBeLessThan(20);
  }
});

test('recorded CPUs stay where nothing else is asked for', () => {
  const onCpu = createCpuMap({ scale: 1, cpus: undefined }, 4);
  expect([3, 3, 0].map(onCpu)).toEqual([3, 3, 0]);
});

test('onto fewer CPUs they are folded', () => {
  const onCpu = createCpuMap({ scale: 1, cpus: 2 }, 4);
  expect([0, 1, 2, 3].map(onCpu)).toEqual([0, 1, 0, 1]);
});

test('onto more CPUs the requests of each are dealt out in turns', () => {
  const onCpu = createCpuMap({ scale: 1, cpus: 5 }, 2);
  expect([0, 0, 0, 0, 1, 1, 1].map(onCpu)).toEqual([0, 2, 4, 0, 1, 3, 1]);
});
