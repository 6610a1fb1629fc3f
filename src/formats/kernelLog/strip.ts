import { clockOf } from './clock.js';

/** A record without what a mail, a terminal, a journal and the kernel's own clock put in front of it. */
export interface Stripped {
  text: string;
  /** Seconds by the wall clock, else the kernel's; undefined where there is none. */
  time: number | undefined;
  /** A clock, level or log name stands in front: a record begins here. */
  stamped: boolean;
}

/** Quotes, arrows, bullets and back-ticks. */
const DRESSING = /^(?:[>|`*]|=>|\s){1,64}/;

const KERNEL_TIME = /^\[?\s{0,8}(\d{1,10}\.\d{1,9})\] ?/;

/** Clocks and names, from the outside in. */
const STAMPS = [
  /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?\] /,
  /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\S{0,6} \S{1,64} kernel: /,
  /^\w{3} {1,2}\d{1,2} \d\d:\d\d:\d\d \S{1,64} kernel: /,
  /^<\d{1,3}> ?/,
  KERNEL_TIME,
  /^\[\p{L}{2,6}\.? [^\]]{6,30} \d{4}\] /u,
  /^\s{0,4}\[\s{0,8}[TC]\d{1,8}\] ?/,
];

const HYPERVISOR = /^\(XEN\) /;

/** Takes prefixes off a line of a log, in the order in which they stand. */
export function stripLine(line: string): Stripped {
  const dressed = line.replace(DRESSING, '');
  let text = dressed;
  let time: number | undefined;
  for (const stamp of STAMPS) {
    const match = stamp.exec(text);
    if (match === null) continue;
    text = text.slice(match[0].length);
    if (stamp === KERNEL_TIME) time = Number(match[1]);
  }
  const stamped = text.length < dressed.length;
  text = text.replace(HYPERVISOR, '').replace(/[`\s]{1,64}$/, '');
  return { text, time: clockOf(line) ?? time, stamped };
}
