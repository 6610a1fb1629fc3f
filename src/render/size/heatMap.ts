import { Chalk, type ChalkInstance } from 'chalk';
import type { SizeReport, SweepPoint } from '../../report/sizeReport.js';
import { columns, counted } from '../columns.js';
import { harmless } from '../harmless.js';
import type { RenderOptions } from '../table.js';

/** Shades by the share of requests that fail: from one on, 0.1 %, 1 %, 10 %. */
const SHADES: readonly { least: number; mark: string }[] = [
  { least: 0.1, mark: '██' },
  { least: 0.01, mark: '▓▓' },
  { least: 0.001, mark: '▒▒' },
  { least: 0, mark: '░░' },
];

/** A pool that serves every request, and one that no kernel sets up. */
const FITS = '··';
const NONE = '  ';

/** A sweep as a map: sizes to the right, kernels and areas down, the darker the more requests fail. */
export function sweepHeatMap({ sweep = [] }: SizeReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.colour });
  const pools = [...new Set(sweep.map(({ pool }) => pool))];
  const blocks = pools.map((pool) => {
    const points = sweep.filter((point) => point.pool === pool);
    return [
      `pool ${harmless(pool.name)}, ${counted(points[0].requests, 'request')}; slots asked for:`,
      ...mapLines(points, chalk),
    ];
  });
  const legend = `${FITS} none fails  ${SHADES.toReversed()
    .map(({ least, mark }) => `${mark} ${least === 0 ? 'some' : `${least * 100} %`}`)
    .join('  ')} of the requests and more`;
  return `${[...blocks.map((lines) => lines.join('\n')), `  ${legend}`].join('\n\n')}\n`;
}

function mapLines(points: readonly SweepPoint[], chalk: ChalkInstance): string[] {
  const sizes = [...new Set(points.map(({ asked }) => asked.nslabs))].sort((a, b) => a - b);
  const rows = [...new Set(points.map(rowOf))];
  const heads = columns(rows.map((row) => [row]));
  const margin = ' '.repeat(Math.max(0, ...heads.map((head) => head.length)) + 2);
  const width = Math.max(2, ...sizes.map((size) => String(size).length));
  const bySpot = new Map(points.map((point) => [`${rowOf(point)} ${point.asked.nslabs}`, point]));
  return [
    margin + sizes.map((size) => String(size).padStart(width)).join(' '),
    ...rows.map((row, n) => {
      const cells = sizes.map((size) => cell(bySpot.get(`${row} ${size}`), width, chalk));
      return (heads[n].padEnd(margin.length) + cells.join(' ')).trimEnd();
    }),
  ];
}

function rowOf({ kernel, asked }: SweepPoint): string {
  return `${kernel}, ${counted(asked.areas, 'area')}`;
}

function cell(point: SweepPoint | undefined, width: number, chalk: ChalkInstance): string {
  const indent = ' '.repeat(width - 2);
  if (point === undefined) return indent + NONE;
  if (point.failed === 0) return indent + chalk.green(FITS);
  const share = point.failed / point.requests;
  const shade = SHADES.find(({ least }) => share >= least) ?? SHADES[SHADES.length - 1];
  return indent + (share >= 0.01 ? chalk.red : chalk.yellow)(shade.mark);
}
