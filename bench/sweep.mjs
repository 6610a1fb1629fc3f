// A sweep of `size` on one core and on all; see README.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeCsv } from './workload.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: String(availableParallelism()) },
  },
});

const MAIN = fileURLToPath(new URL('../bin/swiotlb-replay.js', import.meta.url));

/** 32 pools, of which the smaller ones fail for some requests. */
const SWEEP = 'nslabs=8192..65536*2,areas=1|2|4|8,kernel=v6.8|v6.12';

/** How many times as fast all cores are to be, of two. */
const GOAL = 1.6;

function sweep(file, jobs) {
  const start = performance.now();
  const args = [MAIN, 'size', file, '--sweep', SWEEP, '--output', 'csv', '--jobs', String(jobs)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (stderr !== '') throw new Error(`void: ${stderr}`);
  return { ms: performance.now() - start, stdout };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const folder = mkdtempSync(join(tmpdir(), 'swiotlb-sweep-'));
try {
  const file = join(folder, 'trace.csv');
  writeCsv(file, Number(options.megabytes) * 1e6);
  const alone = [];
  const together = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    const one = sweep(file, 1);
    const all = sweep(file, Number(options.jobs));
    if (one.stdout !== all.stdout) throw new Error('void: the tables differ');
    alone.push(one.ms);
    together.push(all.ms);
  }
  const ratio = median(alone.map((ms, round) => ms / together[round]));
  console.log(
    `Sweep of 32 pools, trace of ${options.megabytes} MB, ${options.rounds} rounds,` +
      ` load ${loadavg()[0].toFixed(1)}.\n\n| jobs | ms |\n|---|---|\n| 1 | ${median(alone).toFixed(0)} |\n` +
      `| ${options.jobs} | ${median(together).toFixed(0)} |\n\n` +
      `${ratio.toFixed(2)} times as fast (goal ${GOAL} of two cores)`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
