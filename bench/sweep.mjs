// A sweep of `size` on one core and on all; see README.md.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { row } from './measure.mjs';
import { writeCsv } from './workload.mjs';

const MAIN = fileURLToPath(new URL('../bin/swiotlb-replay.js', import.meta.url));

/** 32 pools, of which the smaller ones fail for some requests. */
const SWEEP = 'nslabs=8192..65536*2,areas=1|2|4|8,kernel=v6.8|v6.12';

/** How many times as fast all cores are to be, of two. */
const GOAL = { atLeast: 1.6 };

/** A round takes a minute. */
const MOST_ROUNDS = 3;

function sweep(file, jobs) {
  const start = performance.now();
  const args = [MAIN, 'size', file, '--sweep', SWEEP, '--output', 'csv', '--jobs', String(jobs)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (stderr !== '') throw new Error(`void: ${stderr}`);
  return { ms: performance.now() - start, stdout };
}

/** One job against one per core, by the clock; unequal tables are void. */
export function measureSweep({ folder, megabytes, rounds }) {
  const file = join(folder, 'sweep.csv');
  writeCsv(file, megabytes * 1e6);
  const jobs = availableParallelism();
  const pairs = [];
  for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
    const one = sweep(file, 1);
    const all = sweep(file, jobs);
    if (one.stdout !== all.stdout) throw new Error('void: the tables differ');
    pairs.push([all.ms, one.ms]);
  }
  return [row(`sweep of 32 pools, ${jobs} jobs`, '1 job', 'ms', pairs, GOAL)];
}
