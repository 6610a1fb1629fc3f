// The whole program against grep, the obvious program and an empty node; see README.md.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, PROGRAM, row, runInTurns } from './measure.mjs';
import { writeCsv, writeDevDbg, writeFtrace, writeMixed } from './workload.mjs';

/** Size of the smaller traces, to show that memory does not grow with the trace. */
const SMALL_MEGABYTES = 5;

const WRITERS = { 'dev-dbg': writeDevDbg, csv: writeCsv, ftrace: writeFtrace, mixed: writeMixed };

/** What a map of each trace holds, and nothing else. */
const WORDS = { 'dev-dbg': 'orig_addr', csv: ',map,', ftrace: 'map_ret', mixed: 'orig_addr' };

const OBVIOUS = `node ${fileURLToPath(new URL('./obvious.mjs', import.meta.url))}`;

/** How many results a program has compared; all of them must have come out. */
const RECORDED = /(?<!\d)(\d+) of \1 recorded results/;

/** Programs that read a trace; `maps` finds how many maps a program says that it has seen. */
const PROGRAMS = {
  'grep -c': { command: (file, trace) => `grep -c ${WORDS[trace]} ${file}`, maps: /^(\d+)\n/ },
  'wc -l': { command: (file) => `wc -l ${file}` },
  'the obvious program': { command: (file) => `${OBVIOUS} ${file}`, maps: RECORDED },
  replay: {
    command: (file) => `${PROGRAM} replay --no-allocations ${file}`,
    maps: /: (\d+) requests/,
  },
  verify: { command: (file) => `${PROGRAM} verify ${file}`, maps: RECORDED },
  diff: { command: (file) => `${PROGRAM} diff --old v6.8 --new v6.9 ${file}` },
};

/** What is compared with what, and the goal. */
const COMPARISONS = [
  { trace: 'dev-dbg', program: 'replay', against: 'grep -c', goal: { atMost: 5 } },
  { trace: 'dev-dbg', program: 'replay', against: 'wc -l' },
  { trace: 'csv', program: 'replay', against: 'grep -c', goal: { atMost: 6 } },
  { trace: 'ftrace', program: 'replay', against: 'grep -c', goal: { atMost: 6 } },
  { trace: 'mixed', program: 'replay', against: 'grep -c', goal: { atMost: 2 } },
  { trace: 'csv', program: 'verify', against: 'the obvious program', goal: { atLeast: 6 } },
  { trace: 'csv', program: 'replay', against: 'the obvious program', goal: { atLeast: 6 } },
  { trace: 'csv', program: 'replay', against: 'verify', goal: { atMost: 1.3 } },
  { trace: 'csv', program: 'diff', against: 'replay', goal: { atMost: 1.3 } },
];

/** A start is short, so that there are more rounds of it. */
const START_ROUNDS = 15;

/** The path of a trace of so many megabytes, which is written the first time that it is asked for. */
function traceFile(folder, trace, megabytes) {
  const file = join(folder, `${trace}-${megabytes}`);
  if (!existsSync(file)) WRITERS[trace](file, megabytes * 1e6);
  return file;
}

/** Programs that saw different numbers of maps did not do the same work. */
function requireEqualWork(trace, outputs) {
  const counts = Object.entries(outputs).flatMap(([name, output]) => {
    const { maps } = PROGRAMS[name];
    return maps === undefined ? [] : [maps.exec(output)?.[1]];
  });
  if (new Set(counts).size !== 1) throw new Error(`void: maps of ${trace}: ${counts.join(', ')}`);
}

/** Whole programs on each trace, by the clock; what one says of processor time stands beside it. */
export function measureReplays({ folder, megabytes, rounds }) {
  return Object.keys(WRITERS).flatMap((trace) => {
    const comparisons = COMPARISONS.filter((each) => each.trace === trace);
    const names = new Set(comparisons.flatMap(({ program, against }) => [against, program]));
    const file = traceFile(folder, trace, megabytes);
    const commands = Object.fromEntries(
      [...names].map((name) => [name, PROGRAMS[name].command(file, trace)]),
    );
    const taken = runInTurns(commands, rounds);
    requireEqualWork(trace, taken.outputs);
    return comparisons.map(({ program, against, goal }) => {
      const pairs = taken.rounds.map((at) => [at[program].ms, at[against].ms]);
      const cpu = median(taken.rounds.map((at) => at[program].cpu / at[against].cpu));
      return { ...row(`${program}, ${trace}`, against, 'ms', pairs, goal), cpu };
    });
  });
}

/** The start of the program against that of an empty one, by processor time: a start is too short for the clock. */
export function measureStart() {
  const commands = {
    node: 'node -e 0',
    '--version': `${PROGRAM} --version`,
    '--help': `${PROGRAM} --help`,
  };
  const { rounds } = runInTurns(commands, START_ROUNDS);
  return ['--version', '--help'].map((name) => {
    const pairs = rounds.map((at) => [at[name].cpu, at.node.cpu]);
    return row(name, 'node -e 0', 'ms', pairs, { atMost: 1.25 });
  });
}

/** Peak resident memory of a node program, in MiB. */
function peakMemory(command) {
  const tell =
    'process.on("exit",()=>process.stderr.write("peak="+process.resourceUsage().maxRSS))';
  const loud = command.replace(/^node /, `node --import 'data:text/javascript,${tell}' `);
  const { stderr } = spawnSync('sh', ['-c', loud], { maxBuffer: 1 << 28 });
  return Number(/peak=(\d+)/.exec(stderr.toString())[1]) / 1024;
}

/** Peak memory of a replay against that of an empty program, and against that of a small trace. */
export function measureMemory({ folder, megabytes }) {
  const thrice = (command) => median([1, 2, 3].map(() => peakMemory(command)));
  const bare = thrice('node -e 0');
  return Object.keys(WRITERS).flatMap((trace) => {
    const at = (size) => thrice(PROGRAMS.replay.command(traceFile(folder, trace, size), trace));
    const peak = at(megabytes);
    const what = `memory of replay, ${trace}`;
    return [
      row(what, 'node -e 0', 'MiB', [[peak, bare]], { atMost: 1.5 }),
      row(what, `a trace of ${SMALL_MEGABYTES} MB`, 'MiB', [[peak, at(SMALL_MEGABYTES)]], {
        atMost: 1.1,
      }),
    ];
  });
}
