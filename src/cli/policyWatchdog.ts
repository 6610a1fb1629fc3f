import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { harmless } from '../render/harmless.js';
import { Beat, CALLS, type Watched } from './policyWatch.js';

/** Seconds that one call may take: no search of a kernel is worth a thousandth of that. */
const PATIENCE = 10;

const { file, beat } = workerData as Watched;
let seen = 0;
let seconds = 0;

// Seconds are counted, not measured: of a program that was stopped for a while none have passed.
setInterval(() => {
  const calls = Atomics.load(beat, Beat.calls);
  const running = Atomics.load(beat, Beat.running);
  seconds = running > 0 && calls === seen ? seconds + 1 : 0;
  seen = calls;
  if (seconds < PATIENCE) return;
  const name = CALLS[running - 1];
  const line = Atomics.load(beat, Beat.line);
  const what = name === 'load' ? 'loading it' : `${name}()`;
  const place = line === 0 ? '' : `, for the request of line ${line},`;
  const words = `swiotlb-replay: ${file}: ${what}${place} has not come to an end in ${PATIENCE} seconds`;
  writeSync(2, `${harmless(words)}\n`);
  // The thread that is stuck cannot end the program by itself.
  process.kill(process.pid, 'SIGKILL');
}, 1000);
