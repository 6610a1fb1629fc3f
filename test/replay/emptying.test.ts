import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPool } from '../../src/swiotlb/pool.js';
import { replay } from '../support/replaying.js';
import { RELEASE_NAMES, scenarios, traceOf } from './generating.js';

describe('a trace in which everything is unmapped', () => {
  // v6.8 frees neighbours of misaligned pages, so only its maps all come back.
  it.each(RELEASE_NAMES)('leaves the pool of %s as new', async (release) => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const allocs = release !== 'v6.8';
        const { session, findings } = await replay(
          release,
          traceOf(scenario, { allocs, releaseAll: true }),
        );
        const [{ pool, used }] = session.allocators;
        const fresh = createPool(pool, session.options.release.clampsTail);
        expect(used).toBe(0);
        expect(pool.list).toEqual(fresh.list);
        expect(pool.freeRuns).toEqual(fresh.freeRuns);
        expect(pool.storedSize).toEqual(fresh.storedSize);
        expect(pool.padSlots).toEqual(fresh.padSlots);
        expect(pool.areaUsed).toEqual(fresh.areaUsed);
        expect(session.allocations.live).toBe(0);
        const rules = new Set(findings.map(({ rule }) => rule));
        for (const rule of ['leak', 'unmatched-unmap', 'double-unmap', 'double-allocated-slot']) {
          expect(rules).not.toContain(rule);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('keeps slots of v6.8 in use where pages are freed that begin on an odd slot (spec Q5b)', async () => {
    const { session, found } = await replay(
      'v6.8',
      `
      #pool name=default base=0x97ff0000 nslabs=7168 index=1645 restricted=1
      dev,op,orig_addr,size,tlb_addr
      net,alloc,,8192,0x98326800
      net,alloc,,8192,0x98328800
      net,alloc,,8192,0x9832a800
      net,free,,8192,0x98326800
      net,free,,8192,0x98328800
      net,free,,8192,0x9832a800`,
    );
    // Each page lies before its buffer: the first free finds nothing, the others one slot of a neighbour.
    expect(session.allocators[0].used).toBe(10);
    expect(session.allocations.live).toBe(0);
    expect(found.filter((at) => at.startsWith('leak'))).toEqual([]);
  });
});
