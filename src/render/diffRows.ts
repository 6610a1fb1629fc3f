import type { Comparison, DifferentAnswer, IndependentDifference } from '../analysis/comparison.js';
import { RULES } from '../check/rules.js';
import { hex } from '../events/numbers.js';
import type { DiffReport } from '../report/diffReport.js';
import { mostBroken, type SideReport } from '../report/report.js';
import { counted } from './columns.js';
import { harmless } from './harmless.js';

/** A row of a table of differences, and what is folded below it. */
export interface DifferenceRow {
  cells: (string | number)[];
  /** Empty where nothing follows. */
  folded: string;
}

/** Heads of the cells of a difference. */
export function differenceHeads({ names }: DiffReport): string[] {
  return ['line', 'call', 'device', 'size', harmless(names.old), harmless(names.new)];
}

/** The first `limit` differences that stand by themselves, or all kinds of the first where nothing tells them apart. */
export function differenceRows({ comparison }: DiffReport, limit: number): DifferenceRow[] {
  const told = toldOrigins(comparison);
  if (told.length === 0) {
    return comparison.first.slice(0, limit).map((row) => ({ cells: cellsOf(row), folded: '' }));
  }
  return told.slice(0, limit).map((row) => ({ cells: originCells(row), folded: foldedWords(row) }));
}

/** What the rows leave out, in words; empty where they leave out nothing. */
export function moreDifferences({ comparison }: DiffReport, shown: number): string[] {
  const { different, differentAlone, unexplained, synchrony, first, origins } = comparison;
  const told = toldOrigins(comparison);
  const words: string[] = [];
  if (told.length === 0) {
    const more = different - Math.min(shown, first.length);
    if (more > 0) words.push(`and ${more} more; --json lists the first ${first.length}`);
  } else {
    const rows = told.slice(0, shown);
    const alone = differentAlone - rows.filter(({ kind }) => kind === 'address').length;
    const followed = rows.reduce((sum, { followed }) => sum + followed, 0);
    const following = comparison.following - followed;
    if (alone + following > 0) {
      words.push(
        `and ${alone} more that stand by themselves, with ${following} that follow from` +
          ` such; --json lists the first ${origins.length}`,
      );
    }
    if (unexplained > 0) {
      words.push(
        `${counted(unexplained, 'difference')} came before, from where the searches start`,
      );
    }
  }
  if (different > 0 && synchrony === 'impossible') {
    words.push(
      'what follows from what is not known: one side has dynamic pools, the other has not',
    );
  }
  if (comparison.unplaced > 0) {
    words.push(
      `${counted(comparison.unplaced, 'allocation')} of the old side had no place in the new side's pools:` +
        ' what stands by itself behind them is near to the truth, not exact',
    );
  }
  return words;
}

function toldOrigins({ origins }: Comparison): IndependentDifference[] {
  return origins.filter(({ kind, followed }) => kind === 'address' || followed > 0);
}

function foldedWords({ line, followed }: IndependentDifference): string {
  if (followed === 0) return '';
  return followed === 1
    ? `1 later difference follows from line ${line}`
    : `${followed} later differences follow from line ${line}`;
}

const word = (address: number | undefined): string =>
  address === undefined ? 'failed' : hex(address);

function cellsOf(row: Pick<DifferentAnswer, 'line' | 'op' | 'device' | 'size' | 'old' | 'new'>) {
  return [row.line, row.op, harmless(row.device), row.size, word(row.old), word(row.new)];
}

function originCells(row: IndependentDifference): (string | number)[] {
  const cells = cellsOf(row);
  if (row.kind === 'slots') {
    cells[4] += `, ${counted(row.oldSlots, 'slot')}`;
    cells[5] += `, ${counted(row.newSlots, 'slot')}`;
  }
  if (row.kind === 'release') {
    cells[4] = `gives back ${counted(row.oldSlots, 'slot')}`;
    cells[5] = `gives back ${counted(row.newSlots, 'slot')}`;
  }
  if (row.kind === 'hidden') cells[5] += ', by chance';
  if (Number.isNaN(cells[3])) cells[3] = '';
  return cells;
}

/** Heads of the cells of a device. */
export const DEVICE_HEADS = ['device', 'differ', 'by themselves'];

/** Devices that are shown. */
const SHOWN_DEVICES = 8;

/** Whose addresses differ, most first, and what the rows leave out; no rows for a trace of one device. */
export function deviceRows({ comparison }: DiffReport): {
  rows: (string | number)[][];
  more: string;
} {
  // What has no difference is a hole.
  const devices = comparison.devices.flat();
  if (!comparison.hasManyDevices) return { rows: [], more: '' };
  devices.sort((a, b) => b.different - a.different);
  const rows = devices
    .slice(0, SHOWN_DEVICES)
    .map(({ device, different, alone }) => [harmless(device), different, alone]);
  const more = devices.length - rows.length;
  return { rows, more: more > 0 ? `and ${counted(more, 'more device')}` : '' };
}

/** Totals of both sides, one row each. */
export function totalRows({
  old,
  new: fresh,
  rules,
  causes,
}: DiffReport): [string, string, string][] {
  const worst = (report: SideReport): string =>
    `${Math.round(mostBroken(report.fragmentation.worst).external * 100)} %`;
  const peak = (report: SideReport): string =>
    report.pools.flatMap((pool) => pool.usedHiwater ?? []).join(', ');
  const row = (name: string, a: number, b: number): [string, string, string] => [
    name,
    `${a}`,
    `${b}`,
  ];
  return [
    ...rules.map((pair) => row(`${RULES[pair.name].level} ${pair.name}`, pair.old, pair.new)),
    row('failed requests', old.summary.failed, fresh.summary.failed),
    ...causes.map((pair) => row(`  ${pair.name}`, pair.old, pair.new)),
    row(
      'double-allocated pages',
      old.doubleAllocatedPages.length,
      fresh.doubleAllocatedPages.length,
    ),
    ['slots used at most', peak(old), peak(fresh)],
    row('slots searched', old.summary.slotsSearched, fresh.summary.slotsSearched),
    ['worst external fragmentation', worst(old), worst(fresh)],
  ];
}
