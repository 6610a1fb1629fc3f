const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** 2026-03-06T07:08:09.123 and 2026-03-06 07:08:09 */
const ISO = /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)/;

/** Mar  6 07:08:09, with the year behind it or none */
const PLAIN = /\b([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?: (\d{4}))?/;

/** A wall clock stands in front, or the text may be about times of its own. */
const LOOKED_AT = 64;

/**
 * The wall clock in front of a line, in seconds of whatever year: good only to compare with others of
 * the same log. Undefined where there is none, and in other languages.
 */
export function clockOf(line: string): number | undefined {
  const front = line.slice(0, LOOKED_AT);
  const iso = ISO.exec(front);
  if (iso !== null) {
    const time = Date.parse(`${iso[1]}T${iso[2].replace(',', '.')}Z`);
    return Number.isNaN(time) ? undefined : time / 1000;
  }
  const plain = PLAIN.exec(front);
  const month = MONTHS.indexOf(plain?.[1] ?? '');
  if (plain === null || month < 0) return undefined;
  const [day, hours, minutes, seconds, year] = plain
    .slice(2)
    .map((text) => (text === undefined ? 1970 : Number(text)));
  return Date.UTC(year, month, day, hours, minutes, seconds) / 1000;
}
