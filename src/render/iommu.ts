import { Chalk, type ChalkInstance } from 'chalk';
import type { IommuFacts, IommuFault, Kept } from '../analysis/iommuFacts.js';
import { sizeWords } from '../check/words.js';
import { hex } from '../events/numbers.js';
import { PAGE_TABLE_SCHEMA, type PageTableReport } from '../report/pageTableReport.js';
import { plainAssumptions, plainLosses } from '../report/plain.js';
import { hexOf, hexOfPage, plainIommu } from '../report/plainIommu.js';
import { counted, wrap } from './columns.js';
import { harmless, harmlessJson } from './harmless.js';
import { lossLines } from './losses.js';
import type { RenderOptions } from './table.js';

/** Errors of one kind that are shown in full. */
const SHOWN = 5;

/** The part of a report about page tables; nothing where it has none. */
export function iommuSection(
  iommu: IommuFacts | undefined,
  width: number,
  chalk: ChalkInstance,
): string[] {
  if (iommu === undefined) return [];
  return [chalk.bold('IOMMU'), ...factLines(iommu, width), ...errorLines(iommu, width, chalk)];
}

function factLines(iommu: IommuFacts, width: number): string[] {
  const { mapped, bounced, ambiguous } = iommu;
  const lines: string[] = [];
  const fact = (name: string, text: string): void => {
    lines.push(...wrap(`  ${name.padEnd(10)}`, text, width));
  };
  const units = iommu.granule === undefined ? '' : `; in units of ${sizeWords(iommu.granule)}`;
  fact(
    'maps',
    `${iommu.maps}, ${iommu.labelled} of them for ${counted(iommu.devices.length, 'device')}` +
      ` that the trace names; ${counted(iommu.unmaps, 'unmap')}${units}`,
  );
  fact(
    'mapped',
    `${sizeWords(mapped.peak)} at most${mapped.peakLine > 0 ? ` (line ${mapped.peakLine})` : ''},` +
      ` ${sizeWords(mapped.atEnd)} at the end, all domains together`,
  );
  if (bounced.maps > 0) {
    const beyond = sizeWords(bounced.mapped - bounced.bytes);
    fact(
      'bounced',
      `${counted(bounced.maps, 'bounce buffer')} with ${sizeWords(bounced.bytes)} of data: ` +
        `${sizeWords(bounced.mapped)} were mapped, ${beyond} of them beyond the data`,
    );
  }
  if (iommu.unseenUnmaps > 0) {
    fact('not seen', `${counted(iommu.unseenUnmaps, 'unmap')} of what was mapped before the trace`);
  }
  if (ambiguous.maps + ambiguous.unmaps > 0) {
    fact(
      'not told',
      `${counted(ambiguous.maps, 'map')} and ${counted(ambiguous.unmaps, 'unmap')} have addresses that` +
        ' several domains had mapped: whose they are is not claimed',
    );
  }
  if (iommu.dropped > 0) {
    fact('', `${counted(iommu.dropped, 'map')} not followed: too many of equal addresses`);
  }
  return lines;
}

function errorLines(iommu: IommuFacts, width: number, chalk: ChalkInstance): string[] {
  const lines: string[] = [];
  function errors<T extends { line: number }>(
    name: string,
    { count, first }: Kept<T>,
    words: (one: T) => string,
  ): void {
    if (count === 0) return;
    lines.push(`  ${chalk.red('error')}  ${chalk.bold(name)} (${count})`);
    for (const one of first.slice(0, SHOWN)) {
      lines.push(...wrap(`    line ${one.line}  `, words(one), width));
    }
    if (count > SHOWN) lines.push(`    and ${count - SHOWN} more`);
  }
  errors('I/O page fault', iommu.faults, faultWords);
  errors(
    'map of what is mapped',
    iommu.collisions,
    ({ device, pages, mappedLine }) =>
      `${harmless(device)}: iova ${hexOfPage(pages.first)}, mapped on line ${mappedLine} and not unmapped since`,
  );
  errors(
    'short unmap',
    iommu.shortUnmaps,
    ({ pages, size, unmappedSize }) =>
      `iova ${hexOfPage(pages.first)}: of ${size} bytes ${unmappedSize} were mapped`,
  );
  return lines;
}

function faultWords({ device, driver, address, flags, cause, isCertain }: IommuFault): string {
  const who = `${harmless(device)} (${harmless(driver)}): iova ${hexOf(address)} flags ${hex(flags)}: `;
  const perhaps = isCertain ? '' : ', as far as the trace tells domains apart';
  if (cause.was === 'never mapped') return `${who}never mapped in this trace`;
  if (cause.was === 'mapped') return `${who}mapped since line ${cause.mapLine}${perhaps}`;
  return (
    `${who}use after unmap: unmapped on line ${cause.unmapLine}${timeWords(cause.seconds)},` +
    ` mapped on line ${cause.mapLine}${perhaps}`
  );
}

/** `, 6.2 ms before`; nothing where the clock does not tell. */
function timeWords(seconds: number): string {
  if (!(seconds >= 0) || Number.isInteger(seconds)) return '';
  if (seconds < 1e-3) return `, ${Math.round(seconds * 1e6)} us before`;
  return seconds < 1
    ? `, ${(seconds * 1e3).toFixed(1)} ms before`
    : `, ${seconds.toFixed(1)} s before`;
}

/** The report of a trace that holds page tables alone, for a terminal. */
export function* renderIommuText(
  report: PageTableReport,
  options: RenderOptions,
): Generator<string> {
  const chalk = new Chalk({ level: options.colour });
  const { trace, iommu, losses, problems } = report;
  const errors = iommu.faults.count + iommu.collisions.count + iommu.shortUnmaps.count;
  const fine = losses.length > 0 ? chalk.yellow : chalk.green;
  const words = errors > 0 ? chalk.red(counted(errors, 'error')) : fine('nothing wrong found');
  yield `${chalk.bold(`${harmless(trace.path)}: `)}${words}\n`;
  const lines = lossLines(losses, options.width);
  const skipped = trace.skipped > 0 ? `; ${counted(trace.skipped, 'line')} not understood` : '';
  const read = `${trace.format}, no bounce buffers: only records of an IOMMU's page tables${skipped}`;
  lines.push(...wrap('  trace     ', read, options.width));
  for (const { message } of report.assumptions.slice(0, SHOWN)) {
    lines.push(...wrap('  assumed   ', harmless(message), options.width));
  }
  for (const { line, message, text } of problems) {
    const words = `line ${line}: ${harmless(`${message}: ${text}`)}`;
    lines.push(...wrap('  skipped   ', words, options.width));
  }
  yield `${lines.join('\n')}\n`;
  yield `\n${iommuSection(iommu, options.width, chalk).join('\n')}\n`;
}

/** The same as `swiotlb-replay/iommu@1`. */
export function* renderIommuJson(report: PageTableReport): Generator<string> {
  const { trace, iommu, assumptions, losses, problems } = report;
  yield `${harmlessJson({
    schema: PAGE_TABLE_SCHEMA,
    trace,
    iommu: plainIommu(iommu),
    assumptions: plainAssumptions(assumptions),
    losses: plainLosses(losses),
    problems,
  })}\n`;
}
