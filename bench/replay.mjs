// The whole program against grep, wc and an empty node, by processor time; see README.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeCsv, writeDevDbg, writeFtrace, writeMixed } from './workload.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
});

/** Size of the smaller traces, to show that memory does not grow with the trace. */
const SMALL_MEGABYTES = 5;

const MAIN = fileURLToPath(new URL('../bin/swiotlb-replay.js', import.meta.url));

const TRACES = { 'dev-dbg': writeDevDbg, csv: writeCsv, ftrace: writeFtrace, mixed: writeMixed };

/** What a map of each trace holds, and nothing else. */
const WORDS = { 'dev-dbg': 'orig_addr', csv: ',map,', ftrace: 'map_ret', mixed: 'orig_addr' };

/** Programs that read a trace; `requests` finds how many maps a program says that it has seen. */
const PROGRAMS = {
  grep: { command: (file, trace) => `grep -c ${WORDS[trace]} ${file}` },
  wc: { command: (file) => `wc -l ${file}` },
  node: { command: () => 'node -e 0' },
  replay: {
    command: (file) => main(`replay --no-allocations ${file}`),
    requests: /: (\d+) requests/,
  },
  'replay, all': { command: (file) => main(`replay ${file}`), requests: /: (\d+) requests/ },
  verify: { command: (file) => main(`verify ${file}`), requests: / of (\d+) recorded results/ },
  diff: { command: (file) => main(`diff --old v6.8 --new v6.9 ${file}`) },
};

/** What is compared with what, and the goal: how many times as long it may take. */
const GOALS = [
  { trace: 'dev-dbg', program: 'replay', against: 'grep', goal: 5 },
  { trace: 'dev-dbg', program: 'replay, all', against: 'grep', goal: 5 },
  { trace: 'dev-dbg', program: 'replay', against: 'wc', goal: 16 },
  { trace: 'csv', program: 'replay', against: 'grep', goal: 6 },
  { trace: 'csv', program: 'replay, all', against: 'grep', goal: 6 },
  { trace: 'csv', program: 'replay', against: 'wc' },
  { trace: 'csv', program: 'replay', against: 'verify', goal: 1.3 },
  { trace: 'csv', program: 'diff', against: 'replay', goal: 1.3 },
  { trace: 'ftrace', program: 'replay', against: 'grep', goal: 6 },
  { trace: 'mixed', program: 'replay', against: 'grep', goal: 2 },
];

/** The start of the program against that of an empty one, and the goal. */
const STARTS = ['--version', '--help'];
const START_GOAL = 1.25;
const START_ROUNDS = 15;

function main(args) {
  return `node ${MAIN} ${args}`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** What the shell adds behind a program's output: its processor time and that of its children. */
const TIMES = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n$/;

/**
 * Runs a program with its output in a pipe: grep for one stops at the first match if nobody reads. Its
 * time is that of the processor, user and system, which other work on the machine changes least.
 */
function run(command) {
  const { stdout, stderr } = spawnSync('bash', ['-c', `{ ${command}; echo; times; } | cat`], {
    maxBuffer: 1 << 28,
  });
  if (stderr.length > 0) throw new Error(`void: ${command}: ${stderr}`);
  const text = stdout.toString();
  const [, , , , , ...children] = TIMES.exec(text).map(Number);
  const [userMinutes, userSeconds, systemMinutes, systemSeconds] = children;
  const ms = 60_000 * (userMinutes + systemMinutes) + 1000 * (userSeconds + systemSeconds);
  return { ms, output: text.replace(TIMES, '') };
}

/** Peak resident memory of a node program, in MiB. */
function peakMemory(command) {
  const tell =
    'process.on("exit",()=>process.stderr.write("peak="+process.resourceUsage().maxRSS))';
  const loud = command.replace(/^node /, `node --import 'data:text/javascript,${tell}' `);
  const { stderr } = spawnSync('sh', ['-c', loud], { maxBuffer: 1 << 28 });
  return Number(/peak=(\d+)/.exec(stderr.toString())[1]) / 1024;
}

/** All programs that the goals name for a trace, in turn; milliseconds of each round by program. */
function measure(trace, file) {
  const goals = GOALS.filter((goal) => goal.trace === trace);
  const names = new Set(['node', ...goals.flatMap(({ program, against }) => [against, program])]);
  const times = Object.fromEntries([...names].map((name) => [name, []]));
  const outputs = {};
  for (let round = 0; round <= Number(options.rounds); round++) {
    for (const name of names) {
      const { ms, output } = run(PROGRAMS[name].command(file, trace));
      outputs[name] ??= output;
      if (outputs[name] !== output) throw new Error(`void: ${name} of ${trace} differs: ${output}`);
      if (round > 0) times[name].push(ms); // the first fills the page cache
    }
  }
  requireEqualWork(trace, outputs);
  return times;
}

/** Programs that saw different numbers of maps did not do the same work. */
function requireEqualWork(trace, outputs) {
  const counts = Object.entries(outputs).flatMap(([name, output]) => {
    if (name === 'grep') return Number(output);
    const { requests } = PROGRAMS[name];
    return requests === undefined ? [] : Number(requests.exec(output)?.[1]);
  });
  if (new Set(counts).size !== 1) throw new Error(`void: maps of ${trace}: ${counts.join(', ')}`);
}

/** Times are small, so that there are more rounds of them. */
function measureStart() {
  const commands = ['node -e 0', ...STARTS.map(main)];
  const rounds = Array.from({ length: START_ROUNDS + 1 }, () =>
    commands.map((command) => run(command).ms),
  ).slice(1);
  return STARTS.map((program, index) => {
    const ms = rounds.map((times) => times[index + 1]);
    const ratio = median(rounds.map(([bare], round) => ms[round] / bare));
    return { program, ms: median(ms), against: 'node', ratio, goal: START_GOAL };
  });
}

function measureMemory(files, small) {
  const bare = median(Array.from({ length: 5 }, () => peakMemory('node -e 0')));
  return Object.keys(TRACES).map((trace) => {
    const at = (file) => peakMemory(PROGRAMS.replay.command(file, trace));
    const mib = at(files[trace]);
    return { trace, mib, againstNode: mib / bare, againstSmall: mib / at(small[trace]) };
  });
}

function writeTraces(folder, megabytes) {
  return Object.fromEntries(
    Object.entries(TRACES).map(([trace, write]) => {
      const file = join(folder, `${trace}-${megabytes}`);
      write(file, megabytes * 1e6);
      return [trace, file];
    }),
  );
}

function compare(times) {
  return GOALS.map(({ trace, program, against, goal }) => {
    const ratios = times[trace][program].map((ms, round) => ms / times[trace][against][round]);
    return {
      trace,
      program,
      ms: median(times[trace][program]),
      against,
      ratio: median(ratios),
      goal,
    };
  });
}

function print({ megabytes, rounds, starts, times, memory }) {
  console.log(`Traces of ${megabytes} MB, ${rounds} rounds.\n`);
  console.log('| trace | program | ms | against | ratio | goal |\n|---|---|---|---|---|---|');
  for (const { trace = 'no trace', program, ms, against, ratio, goal } of [...starts, ...times]) {
    const numbers = `${ms.toFixed(0)} | ${against} | ${ratio.toFixed(2)} | ${goal ?? ''}`;
    console.log(`| ${trace} | ${program} | ${numbers} |`);
  }
  console.log('\n| trace | peak MiB | against node -e 0 (goal 1.5) | against 5 MB (goal 1.1) |');
  console.log('|---|---|---|---|');
  for (const { trace, mib, againstNode, againstSmall } of memory) {
    const ratios = `${againstNode.toFixed(2)} | ${againstSmall.toFixed(2)}`;
    console.log(`| ${trace} | ${mib.toFixed(0)} | ${ratios} |`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-bench-'));
try {
  const files = writeTraces(folder, Number(options.megabytes));
  const small = writeTraces(folder, SMALL_MEGABYTES);
  const times = Object.fromEntries(
    Object.entries(files).map(([trace, file]) => [trace, measure(trace, file)]),
  );
  const result = {
    megabytes: Number(options.megabytes),
    rounds: Number(options.rounds),
    starts: measureStart(),
    times: compare(times),
    memory: measureMemory(files, small),
  };
  if (options.json) console.log(JSON.stringify(result));
  else print(result);
} finally {
  rmSync(folder, { recursive: true });
}
