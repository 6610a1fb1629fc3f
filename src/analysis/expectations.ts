import type { Expectation } from '../events/trace.js';
import type { Allocator } from '../swiotlb/allocator.js';

/**
 * Holds the `#expect` lines of a trace against the allocators at its end.
 * @returns what differs, in words; empty when all is as expected
 */
export function unmetExpectations(
  expectations: readonly Expectation[],
  allocators: readonly Allocator[],
): string[] {
  return expectations.flatMap((expectation) => {
    const { line, pool, used, usedHiwater, index } = expectation;
    const allocator =
      pool === undefined
        ? allocatorMeant(allocators)
        : allocators.find((candidate) => candidate.pool.name === pool);
    if (allocator === undefined) return [`line ${line}: pool ${pool} has no events`];
    const differences: string[] = [];
    const compare = (name: string, expected: string | number | undefined, is: string | number) => {
      if (expected === undefined || expected === is) return;
      differences.push(
        `line ${line}: pool ${allocator.pool.name}: ${name} is ${is}, not ${expected}`,
      );
    };
    compare('used', used, allocator.used);
    compare('used_hiwater', usedHiwater, allocator.usedHiwater);
    compare('index', index?.join(':'), [...allocator.pool.areaIndex].join(':'));
    return differences;
  });
}

/** The allocator of a line that names none: the only one that was used, else the default one. */
function allocatorMeant(allocators: readonly Allocator[]): Allocator | undefined {
  const used = allocators.filter(({ usedHiwater }) => usedHiwater > 0);
  if (used.length === 1) return used[0];
  return allocators.find(({ pool }) => pool.name === 'default') ?? allocators[0];
}
