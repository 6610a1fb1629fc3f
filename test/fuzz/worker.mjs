// Runs cases until it is told to stop; the parent watches that each one ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCase, tryCase } from './case.mjs';
import { readCorpus } from './corpus.mjs';

const [seed, first, step, last] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('disconnect', () => process.exit());

const corpus = readCorpus();
for (let number = first; number < last; number += step) {
  process.send({ begins: number });
  const made = makeCase(seed, number, corpus, folder);
  const fault = await tryCase(made);
  // Columns of a case that is over are freed when they are looked for, not before.
  if (process.memoryUsage().rss > 2 ** 30) globalThis.gc();
  process.send({ ends: number, fault, words: made.words, rss: process.memoryUsage().rss });
  // What node keeps to itself in between would hide what the program takes.
  if (number % 64 === 0) await new Promise(setImmediate);
}
process.disconnect();
