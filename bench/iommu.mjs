// A replay of bounced buffers behind an IOMMU against one of the same buffers without; see README.md.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeBounced, writeDmaIommu } from './iommuWorkload.mjs';
import { median, row } from './measure.mjs';

/** How many times the cost of the plain replay it may be. */
const GOAL = { atMost: 3 };

/** Pairs of the smaller traces, to show that memory does not grow with the trace. */
const FEW_PAIRS = 100_000;

/** Slots in use: a queue or two of a device, or half of the pool. */
const LOADS = { 'few in flight': 512, 'pool half full': 16_384 };

const MAIN = fileURLToPath(new URL('../bin/swiotlb-replay.js', import.meta.url));
const WRITERS = { plain: writeBounced, iommu: writeDmaIommu };
const COMMANDS = ['replay --no-allocations', 'verify'];

/** Seconds of processor time and MiB at the peak of one run; its output must be as it was. */
function run(command, file, expected) {
  const tell =
    'process.on("exit",()=>{const u=process.resourceUsage();process.stderr.write(' +
    'JSON.stringify([(u.userCPUTime+u.systemCPUTime)/1e6,u.maxRSS/1024]))})';
  const args = ['--import', `data:text/javascript,${tell}`, MAIN, ...command.split(' '), file];
  const { stdout, stderr } = spawnSync('node', args, { maxBuffer: 1 << 28 });
  const output = stdout.toString();
  if (expected !== undefined && output !== expected) throw new Error(`void: ${output}`);
  const [seconds, mib] = JSON.parse(stderr.toString());
  return { seconds, mib, output };
}

/** Plain and IOMMU in turn; the first round fills the page cache and says what they print. */
function measure(command, files, most) {
  const rounds = [];
  let expected = {};
  for (let round = 0; round <= most; round++) {
    const at = {};
    for (const kind of Object.keys(WRITERS)) at[kind] = run(command, files[kind], expected[kind]);
    if (round > 0) rounds.push(at);
    else expected = { plain: at.plain.output, iommu: at.iommu.output };
  }
  return rounds;
}

function writeTraces(folder, pairs, slots) {
  const files = Object.fromEntries(
    [...Object.keys(WRITERS), 'few'].map((kind) => [kind, join(folder, `${kind}-${slots}`)]),
  );
  for (const [kind, write] of Object.entries(WRITERS)) write(files[kind], { pairs, slots });
  writeDmaIommu(files.few, { pairs: Math.min(FEW_PAIRS, pairs / 2), slots });
  return files;
}

/** Microseconds of processor time of a pair, and the memory of a long trace against that of a short one. */
export function measureIommu({ folder, pairs, rounds }) {
  return Object.entries(LOADS).flatMap(([load, slots]) => {
    const files = writeTraces(folder, pairs, slots);
    return COMMANDS.flatMap((command) => {
      const taken = measure(command, files, rounds);
      const what = `${command.split(' ')[0]} behind an IOMMU, ${load}`;
      const micros = ({ seconds }) => (seconds * 1e6) / pairs;
      const mib = median(taken.map(({ iommu }) => iommu.mib));
      return [
        row(
          what,
          'the same without',
          'µs',
          taken.map((at) => [micros(at.iommu), micros(at.plain)]),
          GOAL,
        ),
        row(what, 'a short trace', 'MiB', [[mib, run(command, files.few).mib]], { atMost: 1.1 }),
      ];
    });
  });
}
