import { countLevel } from '../../check/finding.js';
import { sizeWords } from '../../check/words.js';
import { hex } from '../../events/numbers.js';
import type { Report } from '../../report/report.js';
import { html, type Markup } from './markup.js';
import { grouped, groupedOf, joined } from './words.js';

/** Pages, pools and assumptions that are named before the rest is folded or counted. */
const SHOWN = 5;

/** Errors and warnings, or that there are none: `5 errors, 3 warnings`. */
export function foundWords({ counts, losses }: Report): Markup {
  const errors = countLevel(counts, 'error');
  const warnings = countLevel(counts, 'warning');
  const found = [
    ...(errors > 0 ? [html`<span class="error">${groupedOf(errors, 'error')}</span>`] : []),
    ...(warnings > 0 ? [html`<span class="warning">${groupedOf(warnings, 'warning')}</span>`] : []),
  ];
  if (found.length > 0) return joined(found, html` and `);
  return html`<span class="${losses.length > 0 ? 'warning' : 'good'}">nothing wrong found</span>`;
}

/** The verdict in one sentence. */
export function verdictSentence(report: Report): Markup {
  const { kernel, summary, doubleAllocatedPages: pages, trace } = report;
  const parts = [
    ...(pages.length > 0 ? [html`${groupedOf(pages.length, 'page')} allocated twice`] : []),
    ...(summary.failed > 0
      ? [
          html`${grouped(summary.failed)} of ${groupedOf(summary.maps, 'request')} failed${causeWords(report)}`,
        ]
      : []),
  ];
  const more = parts.length > 0 ? html`: ${joined(parts, html`, `)}` : '';
  return html`<p class="verdict">On ${kernel}, ${foundWords(report)} in ${groupedOf(trace.events, 'event')}${more}.</p>`;
}

function causeWords({ causes }: Report): string {
  const words = [...causes]
    .sort(([, a], [, b]) => b - a)
    .map(([cause, count]) => `${cause} ${grouped(count)}`);
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}

/** What shows that the trace is not whole. */
export function lossNotice({ losses }: Pick<Report, 'losses'>): Markup {
  if (losses.length === 0) return html``;
  const items = losses.slice(0, SHOWN).map(({ line, events, message }) => {
    const count = events === undefined ? '' : `${groupedOf(events, 'event')} missing: `;
    return html`<li>${count}${message}${line === undefined ? '' : ` (line ${line})`}</li>`;
  });
  const more = losses.length > SHOWN ? html`<li>and ${losses.length - SHOWN} more</li>` : '';
  return html`<div class="lost"><p><b>The trace is incomplete, so no verdict on it is safe.</b></p><ul>${items}${more}</ul></div>`;
}

/** What was replayed, from what, and under which assumptions. */
export function facts(report: Report): Markup {
  const { trace, summary, pools, doubleAllocatedPages: pages } = report;
  const rows: [string, Markup][] = [];
  if (pages.length > 0) rows.push(['allocated twice', pageList(pages)]);
  const reason = report.kernelReason ? `, ${report.kernelReason}` : '';
  rows.push(['kernel', html`${report.kernel}${reason}; ${sizeWords(report.pageSize)} pages`]);
  const skipped = trace.skipped > 0 ? `; ${groupedOf(trace.skipped, 'line')} not understood` : '';
  rows.push([
    'trace',
    html`${trace.format}, ${groupedOf(trace.events, 'event')}: ${groupedOf(summary.maps, 'request')}, ${groupedOf(summary.unmaps, 'release')}${skipped}`,
  ]);
  if (summary.recorded > 0) {
    const same = summary.recorded - summary.mismatches;
    rows.push([
      'recorded',
      html`${grouped(same)} of ${groupedOf(summary.recorded, 'result')} reproduced`,
    ]);
  }
  for (const pool of pools.slice(0, SHOWN)) rows.push(['pool', poolWords(pool)]);
  if (pools.length > SHOWN)
    rows.push(['', html`and ${pools.length - SHOWN} pools that joined later`]);
  return html`<dl class="facts">${rows.map(([name, words]) => html`<dt>${name}</dt><dd>${words}</dd>`)}</dl>${basis(report)}`;
}

function poolWords({ name, base, nslabs, areas, used, usedHiwater }: Report['pools'][0]): Markup {
  const most = usedHiwater === null ? '' : `, ${grouped(usedHiwater)} at most`;
  const cut = areas > 1 ? ` in ${areas} areas` : '';
  return html`${name} at <code>${hex(base)}</code>: ${groupedOf(nslabs, 'slot')} (${sizeWords(nslabs * 2048)})${cut}, ${grouped(used)} used at the end${most}`;
}

function pageList(pages: readonly number[]): Markup {
  const more = pages.length > SHOWN ? `, and ${grouped(pages.length - SHOWN)} more pages` : '';
  return html`${joined(
    pages.slice(0, SHOWN).map((page) => html`<code>${hex(page)}</code>`),
    html`, `,
  )}${more}`;
}

/** What the verdict rests on and the trace does not say, and lines that could not be used. */
function basis({ assumptions, problems, trace }: Report): Markup {
  const items = assumptions.map(
    ({ line, message }) => html`<li>${message}${line === undefined ? '' : ` (line ${line})`}</li>`,
  );
  const skipped = problems.map(
    ({ line, message, text }) => html`<li>line ${line}: ${message}: <code>${text}</code></li>`,
  );
  return html`${items.length === 0 ? '' : html`<details><summary>${groupedOf(items.length, 'assumption')} behind this verdict</summary><ul>${items}</ul></details>`}${
    skipped.length === 0
      ? ''
      : html`<details><summary>${groupedOf(trace.skipped, 'line')} not understood</summary><ul>${skipped}</ul></details>`
  }`;
}
