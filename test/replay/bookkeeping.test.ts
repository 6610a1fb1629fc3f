import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/replay/outcome.js';
import type { Session } from '../../src/replay/session.js';
import { replay } from '../support/replaying.js';
import { RELEASE_NAMES, scenarios, traceOf } from './generating.js';

const SLOT = 2048;
const PAGE = 4096;

/** What somebody holds, in bytes from `from` to before `to`; nothing where the request failed. */
interface Held {
  op: string;
  slots: number[];
  from: number;
  to: number;
}

/** Books as one would keep them by hand: who holds what, by the address that the trace has for it. */
function keepBooks(trace: string, session: Session) {
  const rows = trace
    .split('\n')
    .filter((line) => line.startsWith('dev') && !line.startsWith('dev,'));
  const held = new Map<string, Held>();
  const doubled = new Set<number>();
  let at = 0;
  let most = 0;

  function request({ answer, size }: Outcome): void {
    const [{ pool }] = session.allocators;
    const [, op, , , , , , address] = rows[at++].split(',');
    const taken: Held = { op, slots: [], from: 0, to: 0 };
    if (answer.refusal === undefined) {
      taken.slots = Array.from({ length: answer.plan.nslots }, (_, n) => answer.slot + n);
      taken.from = pool.base + answer.slot * SLOT;
      taken.to = taken.from + taken.slots.length * SLOT;
      if (op === 'alloc') {
        // swiotlb_alloc() hands out whole pages, from the one on which its buffer begins.
        const handed = answer.address - (answer.address % PAGE);
        const end = pool.base + Math.ceil((handed + size - pool.base) / SLOT) * SLOT;
        taken.from = Math.max(pool.base, Math.min(taken.from, handed));
        taken.to = Math.max(taken.to, end);
      }
      for (const { from, to } of held.values()) {
        const low = Math.max(from, taken.from);
        const high = Math.min(to, taken.to, pool.base + pool.nslabs * SLOT);
        if (low >= high) continue;
        for (let page = low - (low % PAGE); page < high; page += PAGE) doubled.add(page);
      }
    }
    held.set(address, taken);
  }

  /** What holds after each event, where a release gives back what was taken. */
  function compare(): void {
    const [{ pool, used }] = session.allocators;
    const owned = [...held.values()].flatMap(({ slots }) => slots);
    most = Math.max(most, owned.length);
    const free = new Uint8Array(pool.nslabs).fill(1);
    for (const slot of owned) free[slot] = 0;
    expect(new Set(owned).size).toBe(owned.length);
    expect(used).toBe(owned.length);
    expect([...pool.list].map((run) => Number(run !== 0))).toEqual([...free]);
  }

  /** The replay's own table lets go of an allocation only when all have seen its release. */
  function compareLive(): void {
    const served = [...held.values()].filter(({ slots }) => slots.length > 0);
    expect(session.allocations.live).toBe(served.length);
  }

  return {
    request,
    release: () => held.delete(rows[at++].split(',')[7]),
    compare,
    compareLive,
    pages: () => [...doubled].sort((a, b) => a - b),
    most: () => most,
    isDone: () => at === rows.length,
  };
}

describe('what a replay counts is what one counts by hand', () => {
  test.each(RELEASE_NAMES)('after each event, on %s', async (release) => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        // v6.8 frees neighbours of misaligned pages, so only its maps are given back as they were taken.
        const trace = traceOf(scenario, { allocs: release !== 'v6.8', releaseAll: false });
        let books: ReturnType<typeof keepBooks> | undefined;
        const { report } = await replay(release, trace, {
          observe: (session) => {
            books = keepBooks(trace, session);
            const { request, release: give, compare, compareLive } = books;
            return {
              onRequest: (outcome) => [request(outcome), compare(), compareLive()],
              onRelease: () => [give(), compare()],
            };
          },
        });
        books?.compareLive();
        expect(books?.isDone()).toBe(true);
        expect(report.pools[0].usedHiwater).toBe(books?.most());
        expect([...report.doubleAllocatedPages].sort((a, b) => a - b)).toEqual(books?.pages());
      }),
      { numRuns: 120 },
    );
  });

  test('pages that v6.8 allocates twice, where nothing is given back', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const steps = scenario.steps.filter(({ op }) => op !== 'release');
        const trace = traceOf({ ...scenario, steps }, { allocs: true, releaseAll: false });
        let books: ReturnType<typeof keepBooks> | undefined;
        const { report } = await replay('v6.8', trace, {
          observe: (session) => {
            books = keepBooks(trace, session);
            return { onRequest: books.request };
          },
        });
        const pages = [...report.doubleAllocatedPages].sort((a, b) => a - b);
        expect(pages).toEqual(books?.pages());
        found += pages.length;
      }),
      { numRuns: 200 },
    );
    expect(found).toBeGreaterThan(0);
  });
});
