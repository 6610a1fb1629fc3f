// All benchmarks, and the goals that each is held against; see README.md.
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureIommu } from './iommu.mjs';
import { measureKernel } from './kernel.mjs';
import { measureMemory, measureReplays, measureStart } from './programs.mjs';
import { measureSearch } from './search.mjs';
import { measureSweep } from './sweep.mjs';

/** Each gives rows of the table; see `row` in measure.mjs. */
const PARTS = {
  start: measureStart,
  replay: measureReplays,
  memory: measureMemory,
  search: measureSearch,
  kernel: measureKernel,
  sweep: measureSweep,
  iommu: measureIommu,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    megabytes: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '7' },
    pairs: { type: 'string', default: '100000' },
    json: { type: 'boolean', default: false },
  },
});
const unknown = positionals.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  throw new Error(`no part ${unknown}: name some of ${Object.keys(PARTS).join(', ')}`);
}

function number(value) {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

function goalWords({ goal, reached }) {
  if (goal === undefined) return ' | ';
  const words = goal.atLeast === undefined ? `at most ${goal.atMost}` : `at least ${goal.atLeast}`;
  return `${words} | ${reached ? 'yes' : 'no'}`;
}

function print(rows, { megabytes, rounds, pairs }) {
  console.log(
    `Traces of ${megabytes} MB and of ${pairs} pairs, ${rounds} rounds; Node.js ${process.versions.node},` +
      ` load ${loadavg()[0].toFixed(1)}. Goals are for 500 MB and 1000000 pairs on a calm machine.\n`,
  );
  console.log('| what | | against | | ratio | goal | reached |\n|---|---|---|---|---|---|---|');
  for (const line of rows) {
    const { what, against, unit, value, reference, ratio } = line;
    const times =
      line.goal?.atLeast === undefined ? number(ratio) : `${number(ratio)} times as fast`;
    console.log(
      `| ${what} | ${number(value)} ${unit} | ${against} | ${number(reference)} ${unit} | ${times} | ${goalWords(line)} |`,
    );
  }
}

const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-bench-'));
const options = {
  folder,
  megabytes: Number(values.megabytes),
  rounds: Number(values.rounds),
  pairs: Number(values.pairs),
};
try {
  const rows = [];
  for (const name of positionals.length > 0 ? positionals : Object.keys(PARTS)) {
    process.stderr.write(`${name}\n`);
    rows.push(...(await PARTS[name](options)));
  }
  if (values.json) console.log(JSON.stringify({ ...options, folder: undefined, rows }));
  else print(rows, options);
} finally {
  rmSync(folder, { recursive: true });
}
