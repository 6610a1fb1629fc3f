import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { commandLine } from './commands.mjs';
import { faultOf } from './judge.mjs';
import { mutate } from './mutate.mjs';
import { caseSeed, createRandom } from './random.mjs';
import { program, runProgram } from './run.mjs';

/** The trace, what lies beside it, and the command line of a case. */
export function makeCase(seed, number, corpus, folder) {
  const random = createRandom(caseSeed(seed, number));
  const trace = join(folder, 'trace');
  const other = join(folder, 'other');
  const bytes = mutate(random, corpus);
  const beside = mutate(random, corpus);
  return { bytes, beside, trace, other, words: commandLine(random, program, trace, other) };
}

/** Bytes that there are to read, unpacked as far as they can be. */
function weightOf(bytes) {
  try {
    return gunzipSync(bytes).length;
  } catch {
    // Some of what is damaged at its end can be unpacked all the same: no more than 1000 times as much.
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? 1000 * bytes.length : bytes.length;
  }
}

/** Runs a case; gives what is wrong, or undefined. Searchers must agree where the trace is replayed. */
export async function tryCase({ bytes, beside, trace, other, words }) {
  writeFileSync(trace, bytes);
  writeFileSync(other, beside);
  const run = await runProgram(words);
  const fault = faultOf(run, words, weightOf(bytes) + weightOf(beside));
  if (fault !== undefined) return fault;
  if (words[0] !== 'replay' || words.includes('--search')) return undefined;
  const linear = await runProgram([...words, '--search', 'linear']);
  const isSame = linear.stdout === run.stdout && linear.status === run.status;
  return isSame ? undefined : 'the linear search gives another result than the indexed one';
}
