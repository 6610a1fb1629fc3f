import { parentPort, workerData } from 'node:worker_threads';
import type { Release } from '../../kernel/release.js';
import type { Question } from '../../sizing/search.js';
import { makeTrial, releaseOfTable } from './trials.js';

// One trial at a time: the main thread sends the next when it has the answer.
parentPort?.on('message', (question: Question) => {
  const release = releaseOfTable(question.kernel) as Release;
  parentPort?.postMessage(makeTrial(workerData, release, question));
});
