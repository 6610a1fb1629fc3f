import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unmetExpectations } from '../../src/analysis/expectations.js';
import { watchMismatches } from '../../src/analysis/mismatches.js';
import { emptyTraceInfo } from '../../src/events/trace.js';
import { readTrace } from '../../src/formats/read.js';
import type { Release } from '../../src/kernel/release.js';
import { createSession, type Session } from '../../src/replay/session.js';
import { openSource } from '../../src/source/open.js';

/** A golden vector: a trace with the results of a kernel's own C code. */
export interface Vector {
  name: string;
  path: string;
  /** The release whose code gave the results. */
  version: string;
}

const SELECTION = fileURLToPath(new URL('../vectors', import.meta.url));

/** The full sets, where the environment names them; the selection in this folder otherwise. */
const ROOT = process.env.SWIOTLB_VECTORS ?? SELECTION;

/** The vectors of a set (`swiotlb`, `swiotlb-edges`). */
export function vectorsOf(set: string): Vector[] {
  return vectorsIn(join(ROOT, set));
}

/** The vectors of a set that the project ships, whatever the environment names. */
export function shippedVectorsOf(set: string): Vector[] {
  return vectorsIn(join(SELECTION, set));
}

function vectorsIn(folder: string): Vector[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.csv.gz'))
    .sort()
    .map((name) => ({
      name,
      path: join(folder, name),
      version: /(?:^|_)(v\d[^_]*?)(?:_p\d+_a\w+)?\.csv\.gz$/.exec(name)?.[1] ?? '',
    }));
}

/** What replaying a vector shows. */
export interface VectorResult {
  session: Session;
  /** The first results that differ, and unmet #expect lines, in words. */
  differences: string[];
}

/**
 * Replays a vector in a release.
 * @param search a name in SEARCHERS; the default where missing
 */
export async function replayVector(
  path: string,
  release: Release,
  search?: string,
): Promise<VectorResult> {
  const info = emptyTraceInfo();
  const source = await openSource(path);
  const mismatches = watchMismatches(3);
  let session: Session | undefined;
  try {
    await readTrace(source, info, { format: undefined, pageSize: 4096 }, (batch) => {
      session ??= createSession(info, {
        release,
        pageSize: info.pageSize ?? 4096,
        pools: [],
        devices: [],
        ...(search === undefined ? {} : { search }),
      });
      if (session.observers.length === 0) session.observers.push(mismatches);
      session.run(batch);
    });
  } finally {
    source.close();
  }
  if (session === undefined) throw new Error(`${path} has no events`);
  session.finish();
  return {
    session,
    differences: [
      ...info.problems.first.map(({ line, message }) => `line ${line}: ${message}`),
      ...mismatches.first.map(
        ({ line, recorded, replayed }) =>
          `line ${line}: recorded ${recorded}, replayed ${replayed}`,
      ),
      ...unmetExpectations(info.expectations, session.allocators),
    ],
  };
}
