// `npm run fuzz -- --seconds 3600 --seed 7`: mutated traces under random options, until the time is up.
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeCase, tryCase } from './case.mjs';
import { readCorpus } from './corpus.mjs';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    /** Runs one case alone, in this process, and shows what it is. */
    case: { type: 'string' },
    /** Where traces that find something are left. */
    keep: { type: 'string', default: join(tmpdir(), 'swiotlb-replay-findings') },
  },
});

/** Milliseconds after which a case hangs, and memory that no case may take. */
const HANGS = 60_000;
const MOST_MEMORY = 2 ** 31;

const seed = Number(options.seed);
const corpus = readCorpus();

function describe(words) {
  return words.map((word) => (/^[\w./:=+-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}

/** Leaves a case's files where they can be looked at; smaller ones if it still fails so. */
async function keep(number, fault, smaller) {
  const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-fuzz-'));
  const made = makeCase(seed, number, corpus, folder);
  const kept = join(options.keep, `${seed}-${number}`);
  mkdirSync(kept, { recursive: true });
  if (smaller) {
    let bytes = made.bytes;
    for (let size = Math.ceil(bytes.length / 2), tries = 200; size >= 1 && tries > 0; size >>= 1) {
      for (let from = 0; from < bytes.length && tries > 0; tries--) {
        const shorter = Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + size)]);
        if ((await tryCase({ ...made, bytes: shorter })) === fault) bytes = shorter;
        else from += size;
      }
    }
    made.bytes = bytes;
  }
  writeFileSync(join(kept, 'trace'), made.bytes);
  writeFileSync(join(kept, 'other'), made.beside);
  rmSync(folder, { recursive: true });
  console.log(
    `case ${number}: ${fault}\n  swiotlb-replay ${describe(made.words).replaceAll(folder, kept)}`,
  );
}

/** @param place among the workers */
function startWorker(place, first, step) {
  const arguments_ = [seed, first, step, Number.MAX_SAFE_INTEGER].map(String);
  const worker = fork(fileURLToPath(new URL('worker.mjs', import.meta.url)), arguments_, {
    execArgv: ['--max-old-space-size=1024', '--expose-gc'],
  });
  const state = { worker, number: first, since: Date.now(), done: 0 };
  worker.on('message', ({ begins, ends, fault, rss }) => {
    state.since = Date.now();
    if (begins !== undefined) state.number = begins;
    if (ends === undefined) return;
    state.done++;
    const wrong = fault ?? (rss > MOST_MEMORY ? `${rss} bytes of memory` : undefined);
    if (wrong !== undefined)
      findings.push({ number: ends, fault: wrong, whole: fault === undefined });
  });
  worker.on('exit', (code, signal) => {
    if (stopping || (code === 0 && signal === null)) return;
    findings.push({ number: state.number, fault: `ended with ${signal ?? code}`, whole: true });
    process.stderr.write(`case ${state.number}: ended with ${signal ?? code}\n`);
    workers[place] = startBehind(state, place, step);
  });
  return state;
}

/** After a case that ended the worker the next one goes on behind it. */
function startBehind(state, place, step) {
  const next = startWorker(place, state.number + step, step);
  next.done = state.done;
  return next;
}

const findings = [];
let stopping = false;
const workers = [];

if (options.case !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-fuzz-'));
  const made = makeCase(seed, Number(options.case), corpus, folder);
  console.log(describe(made.words));
  console.log((await tryCase(made)) ?? 'nothing wrong');
  rmSync(folder, { recursive: true });
} else {
  const jobs = Number(options.jobs);
  const end = Date.now() + 1000 * Number(options.seconds);
  for (let n = 0; n < jobs; n++) workers.push(startWorker(n, n, jobs));
  while (Date.now() < end && findings.length < 20) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const state of workers) {
      if (Date.now() - state.since < HANGS) continue;
      state.since = Date.now();
      state.worker.kill('SIGKILL');
    }
  }
  stopping = true;
  for (const { worker } of workers) worker.kill('SIGKILL');
  for (const { number, fault, whole } of findings) await keep(number, fault, !whole);
  const done = workers.reduce((sum, state) => sum + state.done, 0);
  console.log(`${done} cases with seed ${seed}: ${findings.length} findings`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}
