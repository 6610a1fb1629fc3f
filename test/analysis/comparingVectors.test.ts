import { describe, expect, it } from 'vitest';
import { type Comparison, createComparison } from '../../src/analysis/comparison.js';
import { emptyTraceInfo } from '../../src/events/trace.js';
import { readTrace } from '../../src/formats/read.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { findRelease } from '../../src/kernel/select.js';
import { createSession, type Session } from '../../src/replay/session.js';
import { openSource } from '../../src/source/open.js';
import { shippedVectorsOf, type Vector } from '../support/vectors.js';

/** Compares a vector's own release with another. */
async function compareVector(
  { path, version }: Vector,
  other: string,
): Promise<{ comparison: Comparison; old: Session }> {
  const info = emptyTraceInfo();
  const source = await openSource(path);
  let sessions: Session[] = [];
  const comparison = createComparison(10, () => ({ new: sessions[0], old: sessions[1] }));
  try {
    await readTrace(source, info, { format: undefined, pageSize: 4096 }, (batch) => {
      if (sessions.length === 0) {
        sessions = [other, version].map((name) => {
          const release = findRelease(name);
          if (release === undefined) throw new Error(`no release ${name}`);
          const pageSize = info.pageSize ?? 4096;
          return createSession(info, { release, pageSize, pools: [], devices: [] });
        });
        sessions[0].observers.push(comparison.new);
        sessions[1].observers.push(comparison.old);
      }
      for (const session of sessions) session.run(batch);
    });
  } finally {
    source.close();
  }
  for (const session of sessions) session.finish();
  return { comparison, old: sessions[1] };
}

const vectors = [...shippedVectorsOf('swiotlb'), ...shippedVectorsOf('swiotlb-edges')];

describe('on every vector', () => {
  it('a release does not differ from itself', async () => {
    for (const vector of vectors) {
      const { comparison } = await compareVector(vector, vector.version);
      const { different, independent } = comparison;
      expect({ name: vector.name, different, independent }).toEqual({
        name: vector.name,
        different: 0,
        independent: 0,
      });
    }
  });

  it('asking another release disturbs nothing, and every difference has its origin', async () => {
    const synchronies = new Set<string>();
    let following = 0;
    for (const [n, vector] of vectors.entries()) {
      const other = RELEASES[(n * 5) % RELEASES.length].name;
      const { comparison, old } = await compareVector(vector, other);
      expect(`${vector.name}: ${old.totals.mismatches}`).toBe(`${vector.name}: 0`);
      const { different, differentAlone, unexplained, synchrony } = comparison;
      expect(differentAlone + comparison.following + unexplained).toBe(different);
      if (synchrony !== 'impossible') {
        expect(`${vector.name} to ${other}: ${unexplained}`).toBe(`${vector.name} to ${other}: 0`);
      }
      synchronies.add(synchrony);
      following += comparison.following;
    }
    expect(synchronies).toContain('exact');
    expect(synchronies).toContain('mirrored');
    expect(following).toBeGreaterThan(1000);
  });
});
