import { Worker } from 'node:worker_threads';
import type { Observation } from '../corpus/observation.js';
import { type CheckJob, runCheckJob } from './checkCase.js';
import { showProgress } from './progress.js';

/** Jobs below which starting workers costs more than it gains. */
const FEW = 4;

type Observed = Observation | string;

/** Does jobs on `threads` threads; what they give stands in the order of the jobs, whoever is first. */
export async function runCheckJobs(
  jobs: readonly CheckJob[],
  threads: number,
): Promise<Observed[]> {
  if (threads === 1 || jobs.length < FEW) {
    const observed: Observed[] = [];
    for (const job of jobs) observed.push(await runCheckJob(job));
    return observed;
  }
  const results: Observed[] = new Array(jobs.length);
  const workers = Math.min(threads, jobs.length);
  let next = 0;
  // Who takes a job has done one before, but for the first of each worker.
  let done = -workers;
  const work = { done: () => Math.max(0, done), total: jobs.length, unit: 'replays' };
  const progress = showProgress(work, process.stderr);
  const take = (): number | undefined => {
    done++;
    progress.tick();
    return next < jobs.length ? next++ : undefined;
  };
  try {
    await Promise.all(Array.from({ length: workers }, () => runWorkers(jobs, take, results)));
  } finally {
    progress.end();
  }
  return results;
}

/** Keeps one worker busy; where a job kills it, for want of memory, another goes on. */
async function runWorkers(
  jobs: readonly CheckJob[],
  take: () => number | undefined,
  results: Observed[],
): Promise<void> {
  let number = take();
  while (number !== undefined) {
    const worker = new Worker(new URL('./checkWorker.js', import.meta.url));
    try {
      while (number !== undefined) {
        results[number] = await ask(worker, number, jobs[number]);
        number = take();
      }
    } catch (error) {
      if (number === undefined) throw error;
      results[number] = `the replay broke off: ${(error as Error).message}`;
      number = take();
    } finally {
      await worker.terminate();
    }
  }
}

function ask(worker: Worker, number: number, job: CheckJob): Promise<Observed> {
  return new Promise((resolve, reject) => {
    worker.removeAllListeners();
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
    worker.once('message', ({ observed }) => resolve(observed));
    worker.postMessage({ number, job });
  });
}
