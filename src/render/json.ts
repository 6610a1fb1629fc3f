import { plainReport } from '../report/plain.js';
import type { Report } from '../report/report.js';
import { harmlessJson } from './harmless.js';
import type { RenderOptions } from './table.js';

/** The report as `swiotlb-replay/report@1`, in pieces: its list of allocations may be long. */
export function* renderJson(report: Report, options: RenderOptions): Generator<string> {
  let separator = '{';
  for (const [name, value] of Object.entries(plainReport(report))) {
    yield `${separator}"${name}":${harmlessJson(value)}`;
    separator = ',';
    if (name === 'pools' && options.allocations) yield* allocations(report);
  }
  yield '}\n';
}

function* allocations(report: Report): Generator<string> {
  yield ',"allocations":[';
  let separator = '';
  for (const row of report.allocations.rows()) {
    yield separator + harmlessJson(row);
    separator = ',';
  }
  yield ']';
}
