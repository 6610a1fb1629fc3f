/** A record without what a mail, a terminal, a journal and the kernel's own clock put in front of it. */
export interface Stripped {
  text: string;
  /** Seconds by the outermost clock; undefined where there is none. */
  time: number | undefined;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Quotes, arrows, bullets and back-ticks; then clocks and names, from the outside in. */
const PREFIXES: readonly { pattern: RegExp; time?: (match: RegExpExecArray) => number }[] = [
  { pattern: /^(?:[>|`*]|=>|\s){1,64}/ },
  { pattern: /^\[(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?)\] /, time: wallTime },
  {
    pattern: /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)\S{0,6} \S{1,64} kernel: /,
    time: wallTime,
  },
  {
    pattern: /^(\w{3}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) \S{1,64} kernel: /,
    time: ([, month, ...rest]) => {
      const [day, hours, minutes, seconds] = rest.map(Number);
      return ((MONTHS.indexOf(month) * 31 + day) * 24 + hours) * 3600 + minutes * 60 + seconds;
    },
  },
  { pattern: /^<\d{1,3}> ?/ },
  { pattern: /^\[?\s{0,8}(\d{1,10}\.\d{1,9})\] ?/, time: ([, seconds]) => Number(seconds) },
  {
    pattern: /^\[(\p{L}{2,6}\.? [^\]]{6,30} \d{4})\] /u,
    time: ([, date]) => Date.parse(date) / 1000,
  },
  { pattern: /^\s{0,4}\[\s{0,8}[TC]\d{1,8}\] ?/ },
  { pattern: /^\(XEN\) / },
];

function wallTime([, date, time]: RegExpExecArray): number {
  return Date.parse(`${date}T${time.replace(',', '.')}Z`) / 1000;
}

/** Takes prefixes off a line of a log, in the order in which they stand. */
export function stripLine(line: string): Stripped {
  let text = line;
  let time: number | undefined;
  for (const prefix of PREFIXES) {
    const match = prefix.pattern.exec(text);
    if (match === null) continue;
    text = text.slice(match[0].length);
    const seconds = prefix.time?.(match);
    if (seconds !== undefined && !Number.isNaN(seconds)) time ??= seconds;
  }
  return { text: text.replace(/[`\s]{1,64}$/, ''), time };
}
