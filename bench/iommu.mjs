// A replay of bounced buffers behind an IOMMU against one of the same buffers without; see README.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeBounced, writeDmaIommu } from './iommuWorkload.mjs';

const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});

/** How many times the cost of the plain replay it may be. */
const GOAL = 3;

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

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Plain and IOMMU in turn; the first round fills the page cache and says what they print. */
function measure(load, command, files) {
  const rounds = [];
  let expected = {};
  for (let round = 0; round <= Number(options.rounds); round++) {
    const at = {};
    for (const kind of Object.keys(WRITERS)) at[kind] = run(command, files[kind], expected[kind]);
    if (round > 0) rounds.push(at);
    else expected = { plain: at.plain.output, iommu: at.iommu.output };
  }
  const pairs = Number(options.pairs);
  const micros = (kind) => (median(rounds.map((at) => at[kind].seconds)) * 1e6) / pairs;
  const mib = median(rounds.map(({ iommu }) => iommu.mib));
  return {
    load,
    command,
    plain: micros('plain'),
    iommu: micros('iommu'),
    ratio: median(rounds.map(({ plain, iommu }) => iommu.seconds / plain.seconds)),
    mib,
    againstFew: mib / run(command, files.few).mib,
  };
}

function writeTraces(folder, slots) {
  const files = Object.fromEntries(
    [...Object.keys(WRITERS), 'few'].map((k) => [k, join(folder, k)]),
  );
  for (const [kind, write] of Object.entries(WRITERS)) {
    write(files[kind], { pairs: Number(options.pairs), slots });
  }
  writeDmaIommu(files.few, { pairs: FEW_PAIRS, slots });
  return files;
}

function print(results) {
  console.log(`${options.pairs} maps and unmaps, ${options.rounds} rounds; µs of a pair.\n`);
  console.log(`| load | command | plain | IOMMU | ratio | goal | MiB | against ${FEW_PAIRS} |`);
  console.log('|---|---|---|---|---|---|---|---|');
  for (const { load, command, plain, iommu, ratio, mib, againstFew } of results) {
    const times = [plain, iommu, ratio].map((value) => value.toFixed(1)).join(' | ');
    const memory = `${mib.toFixed(0)} | ${againstFew.toFixed(2)}`;
    console.log(`| ${load} | ${command.split(' ')[0]} | ${times} | ${GOAL} | ${memory} |`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-bench-'));
try {
  const results = Object.entries(LOADS).flatMap(([load, slots]) => {
    const files = writeTraces(folder, slots);
    return COMMANDS.map((command) => measure(load, command, files));
  });
  if (options.json) console.log(JSON.stringify({ ...options, results }));
  else print(results);
} finally {
  rmSync(folder, { recursive: true });
}
