// What all benchmarks share: programs run in turns, medians of ratios, rows of one table; see README.md.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built program, as a command line begins. */
export const PROGRAM = `node ${fileURLToPath(new URL('../bin/swiotlb-replay.js', import.meta.url))}`;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** xorshift32: the same numbers in every run. */
export function randomNumbers(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** What the shell adds behind a program's output: its processor time and that of its children. */
const TIMES = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n$/;

/**
 * Runs a command with its output in a pipe: grep for one stops at the first match if nobody reads.
 * @returns milliseconds by the clock and of processor time (user and system), and what it printed
 */
export function run(command) {
  const begin = performance.now();
  const { stdout, stderr } = spawnSync('bash', ['-c', `{ ${command}; echo; times; } | cat`], {
    maxBuffer: 1 << 28,
  });
  const ms = performance.now() - begin;
  if (stderr.length > 0) throw new Error(`void: ${command}: ${stderr}`);
  const text = stdout.toString();
  const [, , , , , ...children] = TIMES.exec(text).map(Number);
  const [userMinutes, userSeconds, systemMinutes, systemSeconds] = children;
  const cpu = 60_000 * (userMinutes + systemMinutes) + 1000 * (userSeconds + systemSeconds);
  return { ms, cpu, output: text.replace(TIMES, '') };
}

/**
 * Commands in turn, so that what else the machine does hits all alike; each must print the same in
 * every round.
 * @param commands by name
 * @returns rounds of `{ ms, cpu }` by name, and what each printed; the first round, which fills the
 *   page cache, is not among them
 */
export function runInTurns(commands, rounds) {
  const outputs = {};
  const taken = [];
  for (let round = 0; round <= rounds; round++) {
    const at = {};
    for (const [name, command] of Object.entries(commands)) {
      const { output, ...times } = run(command);
      outputs[name] ??= output;
      if (outputs[name] !== output) throw new Error(`void: ${name} printed ${output}`);
      at[name] = times;
    }
    if (round > 0) taken.push(at);
  }
  return { rounds: taken, outputs };
}

/**
 * A line of the table: what was measured against what, with medians of both and of the ratios.
 * @param pairs of numbers, one of each round: what is measured, its reference
 * @param goal `{ atMost }` times the reference, or `{ atLeast }` times as fast; undefined for none
 */
export function row(what, against, unit, pairs, goal) {
  const isSpeed = goal?.atLeast !== undefined;
  const ratio = median(
    pairs.map(([value, reference]) => (isSpeed ? reference / value : value / reference)),
  );
  return {
    what,
    against,
    unit,
    value: median(pairs.map(([value]) => value)),
    reference: median(pairs.map(([, reference]) => reference)),
    ratio,
    goal,
    reached:
      goal === undefined ? undefined : isSpeed ? ratio >= goal.atLeast : ratio <= goal.atMost,
  };
}
