import type { ChalkInstance } from 'chalk';
import type { AreaTraffic } from '../analysis/areaTraffic.js';
import type { Growth } from '../analysis/growth.js';
import { meanUsed } from '../analysis/timeline.js';
import type { DeviceUsage } from '../analysis/usage.js';
import { type SizeClass, wastedPart } from '../analysis/waste.js';
import type { Lifetimes, Who } from '../analysis/who.js';
import { sizeWords } from '../check/words.js';
import type { Report } from '../report/report.js';
import { columns, counted, wrap } from './columns.js';
import { harmless } from './harmless.js';
import { percent, roughBytes, roughNumber, roughSeconds } from './quantities.js';
import { sparkline } from './sparkline.js';
import type { RenderOptions } from './table.js';

/** Devices in the table, and areas or devices that a sentence names. */
const DEVICES = 10;
const TOLD = 3;

/** Up to as many events, the list of allocations says it all. */
const FEW_EVENTS = 50;

/** The part of all bytes taken from which on padding is worth a word. */
const MUCH_PADDING = 0.05;

/** Characters of a device's line over time. */
const SPARK = 16;

/** What one device did, in its row of the table. */
type Cells = Record<string, string>;

/** Who holds what, who grows, who waits: of several devices a table, of more than a few events the facts. */
export function whoSection(
  report: Report,
  { width, blocks }: Pick<RenderOptions, 'width' | 'blocks'>,
  chalk: ChalkInstance,
): string[] {
  const isLong = report.timeline.events > FEW_EVENTS;
  if (report.devices.length < 2 && !isLong) return [];
  const lines = [chalk.bold('Who')];
  if (isLong) {
    if (blocks) lines.push(...strips(report, width));
    for (const [name, text] of whoFacts(report)) {
      if (text !== undefined) lines.push(...wrap(`  ${name.padEnd(10)}`, text, width));
    }
  }
  lines.push(...deviceTable(report, width, { blocks: blocks && isLong, isLong }, chalk));
  return lines;
}

/** The pools from the first event to the last: slots in use on average, and where requests failed. */
function strips({ timeline, who }: Report, width: number): string[] {
  const { failed } = timeline;
  const strip = (name: string, values: Float64Array, top: number): string =>
    `  ${name.padEnd(10)}${sparkline(values, width - 12, top)}`.trimEnd();
  const lines = [strip('slots', meanUsed(timeline), who.peak?.used ?? 0)];
  const most = failed.reduce((a, b) => Math.max(a, b), 0);
  if (most > 0) lines.push(strip('failed', failed, most));
  return lines;
}

/** What is worth a sentence, by its name; undefined where there is nothing to say. */
export function whoFacts({ who }: Report): (readonly [string, string | undefined])[] {
  const { peak, growth, areas } = who;
  return [
    ['peak', peak && peakWords(who, peak)],
    ...growth.map((each) => ['grows', growthWords(who, each)] as const),
    ['areas', areaWords(areas)],
    ['padding', wasteWords(who)],
    ['oldest', oldestWords(who)],
  ];
}

/** `second`, or what there is instead. */
function unitOf({ clock }: Who): string {
  if (clock === 'seconds') return 'second';
  return clock === 'events' ? 'event' : "step of the trace's counter";
}

function ageWords({ clock }: Who, age: number): string {
  if (clock === 'seconds') return roughSeconds(age);
  return clock === 'events' ? counted(age, 'event') : `${roughNumber(age)} steps`;
}

function peakWords({ clock, duration }: Who, peak: NonNullable<Who['peak']>): string {
  const { line, used, capacity } = peak;
  const besides = used > capacity ? ', transient pools besides' : '';
  const time = clock === 'seconds' ? `; the trace takes ${roughSeconds(duration)}` : '';
  return `${used} of ${counted(capacity, 'slot')}${besides} at line ${line}${time}`;
}

function growthWords(who: Who, { device, least, rate }: Growth): string {
  const speed = rate === undefined ? '' : `; ${roughNumber(rate)} more per ${unitOf(who)}`;
  return `${harmless(device)} never falls back: at least ${least.join(', ')} slots in the eighths of the trace${speed}`;
}

/** How often searches had to leave the area of their CPU; undefined where none did. */
function areaWords(areas: readonly AreaTraffic[]): string | undefined {
  let searches = 0;
  let away = 0;
  for (const area of areas) {
    searches += area.searches;
    away += area.left + area.failed;
  }
  if (away === 0) return undefined;
  const worst = [...areas]
    .filter(({ left, failed }) => left + failed > 0)
    .sort((a, b) => b.left + b.failed - a.left - a.failed)
    .slice(0, TOLD)
    .map(({ area, cpus, searches, left, failed, full }) => {
      const who = `${cpus.length === 1 ? 'CPU' : 'CPUs'} ${cpus.join(', ')}`;
      const found = failed > 0 ? `, ${failed} in vain` : '';
      return `area ${area} (${who}) ${left + failed} of ${searches}, ${full} times because it was full${found}`;
    });
  return `${percent(away / searches)} of the searches left the area of their CPU: ${worst.join('; ')}`;
}

/** What is taken beyond need, and where most of it goes; undefined where it is nothing. */
function wasteWords({ devices }: Who): string | undefined {
  const all = devices.flatMap(({ name, sizes }) => sizes.map((size) => ({ name, size })));
  const part = wastedPart(all.map(({ size }) => size));
  if (part < MUCH_PADDING) return undefined;
  const lost = ({ front, behind }: SizeClass): number => front + behind;
  const { name, size } = all.reduce((a, b) => (lost(b.size) > lost(a.size) ? b : a));
  return (
    `${percent(part)} of the bytes taken were not asked for; most of them, ${roughBytes(lost(size))}, in ` +
    `${counted(size.requests, 'request')} of up to ${sizeWords(size.upTo)} of ${harmless(name)}`
  );
}

/** The oldest of what is still live, where the trace shows that others are released. */
function oldestWords(who: Who): string | undefined {
  const { oldest, devices } = who;
  if (oldest.length === 0 || devices.every(({ lifetimes }) => lifetimes === undefined)) {
    return undefined;
  }
  const [{ line, device, size, age }] = oldest;
  const outliving = devices
    .filter((each) => each.outliving > 0)
    .slice(0, TOLD)
    .map(
      (each) => `; ${each.outliving} of ${harmless(each.name)} are older than any that it released`,
    );
  return `line ${line}: ${sizeWords(size)} of ${harmless(device)}, live for ${ageWords(who, age)}${outliving.join('')}`;
}

function deviceTable(
  report: Report,
  width: number,
  { blocks, isLong }: { blocks: boolean; isLong: boolean },
  chalk: ChalkInstance,
): string[] {
  const busiest = [...report.devices].sort((a, b) => b.peakSlots - a.peakSlots).slice(0, DEVICES);
  const rows = busiest.map((usage) => deviceCells(report, usage, isLong));
  const heads = Object.keys(rows[0]);
  const widths = heads.map((head) =>
    Math.max(head.length, ...rows.map((cells) => cells[head].length)),
  );
  const table = [heads, ...rows.map((cells) => heads.map((head) => cells[head]))].map((row) =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[n]))),
  );
  const taken = widths.reduce((sum, each) => sum + each + 2, 0);
  if (blocks && taken + SPARK + 2 <= width) {
    table.forEach((row, n) => {
      row.push(n === 0 ? 'over time' : overTime(report, busiest[n - 1]));
    });
  }
  const lines = columns(table);
  lines[0] = chalk.dim(lines[0]);
  const more = report.devices.length - busiest.length;
  if (more > 0) lines.push(`  and ${counted(more, 'more device')}`);
  return lines;
}

function deviceCells({ who }: Report, usage: DeviceUsage, isLong: boolean): Cells {
  const habits = who.devices.find(({ name }) => name === usage.name);
  const { peak } = who;
  const share = habits && peak && peak.used > 0 ? percent(habits.atPeak.slots / peak.used) : '';
  return {
    device: harmless(usage.name),
    requests: `${usage.maps}`,
    failed: `${usage.failed}`,
    bytes: roughBytes(usage.bytes),
    ...(isLong && who.clock === 'seconds' && { 'per second': rateWords(habits?.rate) }),
    'peak slots': `${usage.peakSlots}`,
    'at peak': share,
    'live slots': `${usage.liveSlots}`,
    ...(isLong && lifeCells(who, habits?.lifetimes)),
    ...(isLong && { padding: habits === undefined ? '' : percent(wastedPart(habits.sizes)) }),
  };
}

function rateWords(rate: number | undefined): string {
  return rate === undefined ? '' : roughBytes(rate);
}

function lifeCells({ clock }: Who, lifetimes: Lifetimes | undefined): Cells {
  const words = clock === 'seconds' ? roughSeconds : roughNumber;
  const unit = clock === 'seconds' ? '' : clock === 'events' ? ', events' : ', steps';
  return {
    [`median life${unit}`]: lifetimes === undefined ? '' : words(lifetimes.median),
    '99 %': lifetimes === undefined ? '' : words(lifetimes.p99),
  };
}

function overTime({ timeline }: Report, { name }: DeviceUsage): string {
  const series = timeline.devices.find((device) => device.name === name);
  return series === undefined ? '' : sparkline(series.slots, SPARK, series.peakSlots);
}
