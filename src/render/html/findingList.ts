import type { Finding, Level } from '../../check/finding.js';
import { RULES, type RuleId } from '../../check/rules.js';
import type { Drawing } from './drawing.js';
import { html, type Markup } from './markup.js';
import { placeOf } from './places.js';
import { grouped } from './words.js';

/** Findings of one rule that the page lists, and those that it shows unfolded. */
const LISTED = 100;
const UNFOLDED = 12;

const LEVELS: readonly Level[] = ['error', 'warning', 'note'];

/**
 * Findings by rule, worst first; each goes to its place in the map.
 * @param unfolded how many of a rule are shown without being asked for
 */
export function findingList(
  drawing: Drawing,
  findings: readonly Finding[],
  counts: ReadonlyMap<RuleId, number>,
  unfolded = UNFOLDED,
): Markup {
  const rules = LEVELS.flatMap((level) =>
    (Object.keys(RULES) as RuleId[]).filter(
      (rule) => RULES[rule].level === level && counts.has(rule),
    ),
  );
  const nameDevice = drawing.report.devices.length > 1;
  return html`${rules.map((rule) => {
    const count = counts.get(rule) ?? 0;
    const listed = findings.filter((finding) => finding.rule === rule).slice(0, LISTED);
    const items = listed.map((finding) => findingItem(finding, drawing, nameDevice));
    const more =
      count > listed.length
        ? html`<li class="soft">and ${grouped(count - listed.length)} more</li>`
        : '';
    const { level, summary } = RULES[rule];
    const open = listed.length <= unfolded ? html` open` : '';
    return html`<details class="rule"${open}><summary><b class="${level}">${level}</b> <b>${rule}</b> (${grouped(count)}): ${summary}</summary>
<ul class="findings">${items}${more}</ul></details>`;
  })}`;
}

function findingItem(finding: Finding, drawing: Drawing, nameDevice: boolean): Markup {
  const { line, device, message, related } = finding;
  const place = placeOf(finding, drawing);
  const slot = place?.slot === undefined ? '' : html` data-slot="${place.slot}"`;
  const link =
    place === undefined
      ? html`line ${line}`
      : html`<a href="#${place.map}" data-map="${place.map}" data-column="${place.column}"${slot}>line ${line}</a>`;
  const lines = related.map(({ line, message }) => html`<li>line ${line}: ${message}</li>`);
  return html`<li>${link}: <span>${nameDevice ? `${device}: ` : ''}${message}</span>${lines.length === 0 ? '' : html`<ul class="related">${lines}</ul>`}</li>`;
}
