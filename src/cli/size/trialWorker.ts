import { parentPort, workerData } from 'node:worker_threads';
import { makeTrial } from './trials.js';

// One trial at a time: the main thread sends the next when it has the answer.
parentPort?.on('message', (question) => {
  parentPort?.postMessage(makeTrial(workerData, question));
});
