import { harmless } from './harmless.js';

/** What a spreadsheet takes for the beginning of a formula. */
const FORMULA = /^[=+\-@]/;

/**
 * A row of a CSV file. Numbers stand as they are; text that a spreadsheet would run as a formula has an
 * apostrophe in front, and control characters are shown, not passed on.
 */
export function csvRow(cells: readonly (string | number)[]): string {
  return `${cells.map(csvCell).join(',')}\n`;
}

function csvCell(cell: string | number): string {
  if (typeof cell === 'number') return String(cell);
  const text = harmless(cell);
  const inert = FORMULA.test(text.trimStart()) ? `'${text}` : text;
  return /[",;\s']/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
