import { parentPort } from 'node:worker_threads';
import { runCheckJob } from './checkCase.js';

// One job at a time: the main thread sends the next when it has the answer.
parentPort?.on('message', async ({ number, job }) => {
  parentPort?.postMessage({ number, observed: await runCheckJob(job) });
});
