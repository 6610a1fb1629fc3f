import type { Command } from 'commander';

/** A command as the program's own help shows it; options, and what it does, are loaded when it is named. */
export interface CommandEntry {
  name: string;
  summary: string;
  /** Its argument, as commander writes it, and what that is. */
  argument?: readonly [syntax: string, description: string];
  /** Command lines that work in the package's folder; the first stands in the program's help too. */
  examples: readonly string[];
  /** Gives what adds description, options and action to the command. */
  load(): Promise<(command: Command) => void>;
}

const SEED = 'traces/double-allocation/trace.log';
const LOG = 'traces/full-or-not/dmesg.log';
const POLICY = 'docs/policies/first-fix.mjs';

const TRACES = ['<trace...>', 'trace files; - reads standard input'] as const;
const TRACE = ['<trace>', 'trace file; - reads standard input'] as const;

/** All commands, in the order of the help; the first is meant where none is named. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'replay',
    summary: 'replay and report what is wrong',
    argument: TRACES,
    examples: [SEED, `${SEED} --kernel v6.9`, `${SEED} --json --no-allocations`],
    load: async () => (await import('./replayCommand.js')).replayCommand,
  },
  {
    name: 'report',
    summary: 'write a report with pictures: one HTML page, or one SVG',
    argument: TRACE,
    examples: [
      `report ${SEED} --html report.html`,
      `report ${SEED} --old v6.8 --new v6.9 --html report.html`,
      'report traces/fragmented/trace.csv --plot occupancy -o occupancy.svg',
    ],
    load: async () => (await import('./reportCommand.js')).reportCommand,
  },
  {
    name: 'verify',
    summary: "compare every recorded address with the model's",
    argument: TRACES,
    examples: [`verify ${SEED} --kernel v6.8`, 'verify traces/*/trace.csv'],
    load: async () => (await import('./verifyCommand.js')).verifyCommand,
  },
  {
    name: 'identify',
    summary: 'name the releases that give every recorded address',
    argument: TRACES,
    examples: [`identify ${SEED}`, 'identify traces/*/trace.csv --json'],
    load: async () => (await import('./identifyCommand.js')).identifyCommand,
  },
  {
    name: 'diff',
    summary: 'show what another release or another pool makes of a trace',
    argument: TRACES,
    examples: [
      `diff ${SEED} --old v6.8 --new v6.9`,
      `diff ${SEED} --old v6.8 --new v6.8+will-v1 --json`,
      `diff ${SEED} --old v6.8 --new ./${POLICY}`,
      'diff traces/fragmented/trace.csv --kernel v6.12 --new-swiotlb 128 --output markdown',
      'diff traces/page-bits/trace.csv traces/fragmented/trace.csv --by findings',
      'diff traces/iommu-stale-mapping/trace.csv --old v5.14 --new v5.16',
    ],
    load: async () => (await import('./diffCommand.js')).diffCommand,
  },
  {
    name: 'explain',
    summary: 'show why a request got its slot, or failed',
    argument: TRACE,
    examples: [
      `explain ${SEED} --line 2 --kernel v6.9`,
      'explain traces/stepped-over/trace.csv --line 17',
    ],
    load: async () => (await import('./explainCommand.js')).explainCommand,
  },
  {
    name: 'size',
    summary: 'find the smallest pool in which no request fails',
    argument: TRACES,
    examples: [
      'size traces/fragmented/trace.csv',
      'size traces/fragmented/trace.csv --scale 2 --json',
      'size traces/fragmented/trace.csv --sweep "nslabs=64..1024,kernel=v5.10|v6.12" --output heatmap',
    ],
    load: async () => (await import('./sizeCommand.js')).sizeCommand,
  },
  {
    name: 'check',
    summary: 'compare replays of a corpus with the expectations beside its traces',
    argument: ['<path...>', 'traces, and folders to look for them'],
    examples: [
      'check traces/',
      'check traces/ --output ktap --shard 1/2',
      `check traces/page-bits --kernel ./${POLICY}`,
      'check traces/double-allocation --output github --report sarif=check.sarif',
    ],
    load: async () => (await import('./checkCommand.js')).checkCommand,
  },
  {
    name: 'diagnose',
    summary: 'say what each "swiotlb buffer is full" of a kernel log proves',
    argument: ['<log...>', 'kernel logs; - reads standard input'],
    examples: [`diagnose ${LOG}`, `diagnose ${LOG} --json`],
    load: async () => (await import('./diagnoseCommand.js')).diagnoseCommand,
  },
  {
    name: 'capture',
    summary: 'print a script that records a trace on a running kernel',
    examples: [
      'capture --kernel "$(uname -r)" > capture.sh',
      'capture --kernel 6.1 --tool bpftrace',
      'capture --kernel v6.12 --boot',
    ],
    load: async () => (await import('./captureCommand.js')).captureCommand,
  },
  {
    name: 'convert',
    summary: 'write a trace as canonical CSV, JSON lines or a Perfetto trace',
    argument: TRACE,
    examples: [
      `convert ${SEED} --to csv`,
      'convert traces/fragmented/trace.csv --to perfetto -o fragmented.json',
      'convert traces/stepped-over/trace.csv --anonymize --to jsonl',
    ],
    load: async () => (await import('./convertCommand.js')).convertCommand,
  },
  {
    name: 'generate',
    summary: 'print a seeded synthetic trace',
    examples: [
      'generate --shape nvme --events 1000 --seed 7 -o nvme.csv',
      'generate --shape net --duration 0.5 --misbehave leak=500 | swiotlb-replay -',
    ],
    load: async () => (await import('./generateCommand.js')).generateCommand,
  },
  {
    name: 'kernels',
    summary: 'list the releases that can be replayed',
    examples: ['kernels', 'kernels --json'],
    load: async () => (await import('./kernelsCommand.js')).kernelsCommand,
  },
  {
    name: 'completion',
    summary: 'print a script that completes command lines in a shell',
    examples: ['completion bash > swiotlb-replay.bash', 'completion fish'],
    load: async () => (await import('./completionCommand.js')).completionCommand,
  },
];
