import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Release } from '../../kernel/release.js';
import { placeRelease } from '../../kernel/select.js';
import type { Evaluate, Question } from '../../sizing/search.js';
import { type Trial, tryPool } from '../../sizing/trial.js';
import type { Workload } from '../../sizing/workload.js';

/** Events of all workloads below which starting workers costs more than it gains. */
const FEW_EVENTS = 20_000;

/** Where trials are made. */
export interface Trials {
  /** Each question is answered once; the answer does not depend on who works it out. */
  evaluate: Evaluate;
  /** Ends the workers. */
  end(): Promise<void>;
}

/** A trial that waits for a worker. */
interface Waiting {
  question: Question;
  resolve: (trial: Trial) => void;
  reject: (error: Error) => void;
}

/** The release of the table that has that name; undefined for a policy of the user's. */
export function releaseOfTable(name: string): Release | undefined {
  const release = placeRelease(name)?.release;
  return release?.name === name ? release : undefined;
}

/** Makes one trial, on whatever thread. */
export function makeTrial(
  workloads: readonly Workload[],
  release: Release,
  { workload, pool, load, stopsAtFailure }: Question,
): Trial {
  return tryPool(workloads[workload], release, pool, load, stopsAtFailure);
}

/**
 * Trials on up to `jobs` threads; the workloads' columns are shared with them, not copied. A policy of
 * the user's is code that cannot be shared: all trials are then made on this thread.
 * @param releases those that questions may name
 * @param onTrial told of each trial that is finished
 */
export function startTrials(
  workloads: readonly Workload[],
  releases: readonly Release[],
  jobs: number,
  onTrial: () => void,
): Trials {
  const events = workloads.reduce((sum, { length }) => sum + length, 0);
  const hasPolicy = releases.some(({ name }) => releaseOfTable(name) === undefined);
  const isAlone = jobs === 1 || events < FEW_EVENTS || hasPolicy;
  const workers = isAlone ? undefined : startWorkers(workloads, jobs);
  const known = new Map<string, Promise<Trial>>();

  async function answer(question: Question): Promise<Trial> {
    const trial = await (workers?.ask(question) ?? answerHere(question));
    onTrial();
    return trial;
  }

  async function answerHere(question: Question): Promise<Trial> {
    // A turn of the loop, so that progress shows and an interrupt is heeded.
    await setImmediate();
    const release = releases.find(({ name }) => name === question.kernel) as Release;
    return makeTrial(workloads, release, question);
  }

  return {
    evaluate(question) {
      const key = JSON.stringify(question);
      const before = known.get(key);
      if (before !== undefined) return before;
      const trial = answer(question);
      known.set(key, trial);
      return trial;
    },
    async end() {
      await workers?.end();
    },
  };
}

function startWorkers(workloads: readonly Workload[], jobs: number) {
  const all: Worker[] = [];
  const idle: Worker[] = [];
  const waiting: Waiting[] = [];

  function next(): void {
    if (waiting.length === 0) return;
    if (idle.length === 0 && all.length < jobs) {
      const worker = new Worker(new URL('./trialWorker.js', import.meta.url), {
        workerData: workloads,
      });
      all.push(worker);
      idle.push(worker);
    }
    const worker = idle.pop();
    if (worker !== undefined) give(worker, waiting.shift() as Waiting);
  }

  function give(worker: Worker, { question, resolve, reject }: Waiting): void {
    worker.removeAllListeners();
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
    worker.once('message', (trial: Trial) => {
      idle.push(worker);
      resolve(trial);
      next();
    });
    worker.postMessage(question);
  }

  return {
    ask(question: Question): Promise<Trial> {
      return new Promise((resolve, reject) => {
        waiting.push({ question, resolve, reject });
        next();
      });
    },
    async end(): Promise<void> {
      // The first error has been told; what the others still have to say is nobody's business.
      for (const worker of all) worker.removeAllListeners().on('error', () => {});
      await Promise.all(all.map((worker) => worker.terminate()));
    },
  };
}
