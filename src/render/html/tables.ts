import type { PoolFragmentation } from '../../analysis/fragmentation.js';
import { wastedPart } from '../../analysis/waste.js';
import { sizeWords, slotWords } from '../../check/words.js';
import type { AllocationRow } from '../../report/allocationRows.js';
import type { Report } from '../../report/report.js';
import { percent, roughBytes, roughNumber, roughSeconds } from '../quantities.js';
import { runWords } from './distributions.js';
import { html, type Markup } from './markup.js';
import { grouped, groupedOf } from './words.js';

/** Devices that the page lists. */
const DEVICES = 200;

/** A cell: what is shown, and what it is sorted by where that is something else. */
type Cell = string | number | { text: string | Markup; key: string | number };

/** A table whose columns sort. Numbers stand right. */
function sortableTable(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
): Markup {
  const isNumber = (column: number): boolean =>
    rows.length > 0 && rows.every((row) => typeof keyOf(row[column]) === 'number');
  const classOf = (column: number): Markup => (isNumber(column) ? html` class="number"` : html``);
  return html`<div class="scroll"><table><caption>${caption}</caption><thead><tr>${heads.map(
    (head, n) =>
      html`<th scope="col" aria-sort="none"${classOf(n)}><button type="button">${head}</button></th>`,
  )}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, n) => html`<td data-value="${keyOf(cell)}"${classOf(n)}>${textOf(cell)}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

function keyOf(cell: Cell): string | number {
  return typeof cell === 'object' ? cell.key : cell;
}

function textOf(cell: Cell): string | Markup {
  if (typeof cell === 'number') return grouped(cell);
  return typeof cell === 'object' ? cell.text : cell;
}

/** What each device asked for and holds, how long it keeps it, and what is lost around it. */
export function deviceTable({ devices, who }: Report): Markup {
  const busiest = [...devices].sort((a, b) => b.peakSlots - a.peakSlots || b.maps - a.maps);
  const isClock = who.clock === 'seconds';
  const time = (value: number): Cell => ({
    text: isClock ? roughSeconds(value) : roughNumber(value),
    key: value,
  });
  const rows = busiest.slice(0, DEVICES).map((device): Cell[] => {
    const habits = who.devices.find(({ name }) => name === device.name);
    const { lifetimes, rate, sizes } = habits ?? {};
    const wasted = sizes && wastedPart(sizes);
    const nothing: Cell = { text: '', key: -1 };
    return [
      device.name,
      device.maps,
      device.failed,
      { text: roughBytes(device.bytes), key: device.bytes },
      ...(isClock ? [rate === undefined ? nothing : { text: roughBytes(rate), key: rate }] : []),
      device.peakSlots,
      device.liveSlots,
      device.live,
      lifetimes === undefined ? nothing : time(lifetimes.median),
      lifetimes === undefined ? nothing : time(lifetimes.p99),
      wasted === undefined ? nothing : { text: percent(wasted), key: wasted },
      { text: sizeWords(device.maxMappingSize), key: device.maxMappingSize },
    ];
  });
  const unit = isClock ? '' : who.clock === 'events' ? ', events' : ', steps';
  const heads = [
    'device',
    'requests',
    'failed',
    'asked for',
    ...(isClock ? ['per second'] : []),
    'peak slots',
    'slots at end',
    'live at end',
    `median life${unit}`,
    '99 %',
    'padding',
    'largest map',
  ];
  const more = devices.length - rows.length;
  return html`${sortableTable('What each device asked for and held; a click on a head sorts.', heads, rows)}${more > 0 ? html`<p class="soft">and ${grouped(more)} more devices</p>` : ''}`;
}

/** A table whose rows have names and do not sort. */
export function plainTable(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): Markup {
  const isNumber = (column: number): boolean =>
    rows.every((row) => /^\d*( %)?$/.test(String(row[column])));
  const classOf = (n: number): Markup => (n > 0 && isNumber(n) ? html` class="number"` : html``);
  return html`<div class="scroll"><table><caption>${caption}</caption><thead><tr>${heads.map(
    (head, n) => html`<th scope="col"${classOf(n)}>${head}</th>`,
  )}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, n) =>
        n === 0
          ? html`<th scope="row">${cell}</th>`
          : html`<td${classOf(n)}>${typeof cell === 'number' ? grouped(cell) : cell}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`;
}

/** A pool's free runs at two moments. */
export function fragmentationTable(end: PoolFragmentation, worst: PoolFragmentation): Markup {
  const of = ({ freeSlots, freeRuns, largestRun, external, lost, servable }: PoolFragmentation) => [
    freeSlots,
    freeRuns,
    groupedOf(largestRun, 'slot'),
    percent(external),
    `${roughBytes(lost.alignment)} in front, ${roughBytes(lost.rounding)} behind`,
    sizeWords(servable.find(({ align }) => align === 2048)?.largest ?? 0),
    sizeWords(servable.find(({ align }) => align === 65536)?.largest ?? 0),
  ];
  const names = [
    'free slots',
    'free runs',
    'longest run',
    'external fragmentation',
    'lost inside allocations',
    'still served',
    'still served at 64 KiB',
  ];
  const [atEnd, atWorst] = [of(end), of(worst)];
  const runs = end.histogram.concat(worst.histogram).map(({ from }) => from);
  const classes = [...new Set(runs)].sort((a, b) => a - b);
  const runsIn = (at: PoolFragmentation, from: number): number =>
    at.histogram.find((bucket) => bucket.from === from)?.runs ?? 0;
  return html`${plainTable(
    `Pool ${end.pool}${end.pool === worst.pool ? '' : ` at the end, ${worst.pool} at worst`}`,
    ['', 'at the end', `at worst (line ${worst.line})`],
    [
      ...names.map((name, n) => [name, atEnd[n], atWorst[n]]),
      ...classes.map((from) => [
        `runs of ${runWords(from)}`,
        runsIn(end, from),
        runsIn(worst, from),
      ]),
    ],
  )}`;
}

/** What each cause means, for who does not know the words. */
const CAUSE_WORDS: Record<string, string> = {
  exhausted: 'fewer slots were free than it needs',
  fragmented: 'enough slots were free, but nowhere enough in a row',
  alignment: 'long enough runs were free, but none at an address that it may have',
  boundary: "aligned slots were free, but across the device's segment boundary",
  'area-skew': 'enough slots were free, but no single area had enough',
  'too-large': 'no pool serves so large a request',
  unsatisfiable: 'its constraints contradict each other: no pool could serve it',
};

/** Refused requests by cause. */
export function causeTable({ causes }: Report): Markup {
  const rows = [...causes]
    .sort(([, a], [, b]) => b - a)
    .map(([cause, count]) => [cause, count, CAUSE_WORDS[cause] ?? '']);
  return plainTable(
    'Failed requests, by the cause that the pool proves',
    ['cause', 'requests', 'meaning'],
    rows,
  );
}

/** The kept rows of allocations. */
export function allocationTable({ allocations }: Report): Markup {
  const { total, omitted } = allocations;
  const heads = ['line', 'call', 'device', 'orig_addr', 'size', 'slots', 'tlb_addr', 'recorded'];
  const rows = [...allocations.rows()].map(allocationCells);
  const words =
    omitted > 0
      ? `The first and last of ${grouped(total)} requests; --json has all.`
      : 'Every request and what became of it.';
  return plainTable(words, heads, rows);
}

function allocationCells(row: AllocationRow): (string | number)[] {
  const same = row.recorded === row.tlbAddr || (row.recorded === 'full' && row.tlbAddr === null);
  const recorded = row.recorded === null ? 'not recorded' : same ? 'the same' : row.recorded;
  return [
    String(row.line),
    row.op,
    row.device,
    row.op === 'alloc' ? '' : row.origAddr,
    row.size,
    row.slot === null
      ? `needs ${row.nslots}`
      : slotWords(row.slot, row.nslots).replace(/^\w+ /, ''),
    row.tlbAddr ?? `failed: ${row.cause ?? 'full'}`,
    recorded,
  ];
}
