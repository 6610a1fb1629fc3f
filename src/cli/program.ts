import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { captureCommand } from './captureCommand.js';
import { checkCommand } from './checkCommand.js';
import { convertCommand } from './convertCommand.js';
import { diagnoseCommand } from './diagnoseCommand.js';
import { diffCommand } from './diffCommand.js';
import { explainCommand } from './explainCommand.js';
import { generateCommand } from './generateCommand.js';
import { identifyCommand } from './identifyCommand.js';
import { kernelsCommand } from './kernelsCommand.js';
import { loadPolicies } from './policies.js';
import { replayCommand } from './replayCommand.js';
import { reportCommand } from './reportCommand.js';
import { sizeCommand } from './sizeCommand.js';
import { verifyCommand } from './verifyCommand.js';

/** Examples that work on the shipped traces, for the end of each command's help. */
const SEED = 'traces/double-allocation/trace.log';
const LOG = 'traces/full-or-not/dmesg.log';
const POLICY = 'docs/policies/first-fix.mjs';
const EXAMPLES: Record<string, readonly string[]> = {
  replay: [SEED, `${SEED} --kernel v6.9`, `${SEED} --json --no-allocations`],
  report: [
    `report ${SEED} --html report.html`,
    `report ${SEED} --old v6.8 --new v6.9 --html report.html`,
    'report traces/fragmented/trace.csv --plot occupancy -o occupancy.svg',
  ],
  verify: [`verify ${SEED} --kernel v6.8`, 'verify traces/*/trace.csv'],
  diff: [
    `diff ${SEED} --old v6.8 --new v6.9`,
    `diff ${SEED} --old v6.8 --new v6.8+will-v1 --json`,
    `diff ${SEED} --old v6.8 --new ./${POLICY}`,
    'diff traces/fragmented/trace.csv --kernel v6.12 --new-swiotlb 128 --output markdown',
    'diff traces/page-bits/trace.csv traces/fragmented/trace.csv --by findings',
    'diff traces/iommu-stale-mapping/trace.csv --old v5.14 --new v5.16',
  ],
  identify: [`identify ${SEED}`, 'identify traces/*/trace.csv --json'],
  explain: [
    `explain ${SEED} --line 2 --kernel v6.9`,
    'explain traces/stepped-over/trace.csv --line 17',
  ],
  size: [
    'size traces/fragmented/trace.csv',
    'size traces/fragmented/trace.csv --scale 2 --json',
    'size traces/fragmented/trace.csv --sweep nslabs=64..1024,kernel=v5.10|v6.12 --output heatmap',
  ],
  check: [
    'check traces/',
    'check traces/ --output ktap --shard 1/2',
    `check traces/page-bits --kernel ./${POLICY}`,
    'check traces/double-allocation --output github --report sarif=check.sarif',
  ],
  diagnose: [`diagnose ${LOG}`, `diagnose ${LOG} --json`],
  capture: [
    'capture --kernel "$(uname -r)" > capture.sh',
    'capture --kernel 6.1 --tool bpftrace',
    'capture --kernel v6.12 --boot',
  ],
  convert: [
    `convert ${SEED} --to csv`,
    'convert traces/fragmented/trace.csv --to perfetto -o fragmented.json',
    'convert traces/stepped-over/trace.csv --anonymize --to jsonl',
  ],
  generate: [
    'generate --shape nvme --events 1000 --seed 7 -o nvme.csv',
    'generate --shape net --duration 0.5 --misbehave leak=500 | swiotlb-replay -',
  ],
  kernels: ['kernels', 'kernels --json'],
};

const STATUS = `

Exit status: 0 nothing wrong found, 1 findings or differences, 2 wrong usage or an unusable trace,
3 nothing wrong found but the trace does not carry that verdict.`;

/** Commands whose --kernel is a release and no policy. */
const REPLAYING_NOTHING = new Set(['capture', 'diagnose']);

/** The whole command line. */
export function createProgram(): Command {
  const program = new Command('swiotlb-replay')
    .description(
      "Replay traces of Linux DMA allocations in a bit-exact model of the kernel's swiotlb.\n" +
        '`swiotlb-replay TRACE...` is short for `swiotlb-replay replay TRACE...`.',
    )
    .version(packageVersion(), '-V, --version')
    .option('--no-color', 'no colours, whatever the terminal');
  program.hook('preAction', (_, command) =>
    REPLAYING_NOTHING.has(command.name()) ? undefined : loadPolicies(command.opts()),
  );
  program.addCommand(replayCommand(), { isDefault: true });
  program.addCommand(reportCommand());
  program.addCommand(verifyCommand());
  program.addCommand(identifyCommand());
  program.addCommand(diffCommand());
  program.addCommand(explainCommand());
  program.addCommand(sizeCommand());
  program.addCommand(checkCommand());
  program.addCommand(diagnoseCommand());
  program.addCommand(captureCommand());
  program.addCommand(convertCommand());
  program.addCommand(generateCommand());
  program.addCommand(kernelsCommand());
  program.addHelpText(
    'after',
    examplesText(Object.values(EXAMPLES).map(([first]) => first)) + STATUS,
  );
  for (const command of [program, ...program.commands]) {
    command.showHelpAfterError('(--help tells more)').exitOverride();
    const examples = EXAMPLES[command.name()];
    if (examples !== undefined) command.addHelpText('after', examplesText(examples));
  }
  return program;
}

function examplesText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map((example) => `  swiotlb-replay ${example}`).join('\n')}`;
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
