/*
 * Records of the tracers, made as they print them. The shapes are those of traces of Linux 5.10, 6.1,
 * 6.12 and 7.2 read from tracefs, with `trace-cmd report` and with `perf script`.
 */

/** Who writes a record, and how. */
export type Shape =
  | 'ftrace, 4 flags'
  | 'ftrace, 5 flags'
  | 'ftrace, 7 flags'
  | 'trace-cmd'
  | 'trace-cmd with flags'
  | 'trace-cmd -t'
  | 'trace-cmd -R'
  | 'perf'
  | 'perf with pid/tid';

export const SHAPES: readonly Shape[] = [
  'ftrace, 4 flags',
  'ftrace, 5 flags',
  'ftrace, 7 flags',
  'trace-cmd',
  'trace-cmd with flags',
  'trace-cmd -t',
  'trace-cmd -R',
  'perf',
  'perf with pid/tid',
];

/** Where a record was made. */
export interface Place {
  task: string;
  pid: number;
  cpu: number;
  /** Letter of the hardirq/softirq column. */
  level: string;
  seconds: number;
}

const PLACE: Place = { task: 'kworker/0:1H', pid: 48, cpu: 0, level: '.', seconds: 5 };

/** An event's fields, in the three ways of printing them. */
export interface Body {
  event: string;
  /** The event's group, as perf prints it. */
  group: string;
  /** tracefs: with symbols. */
  symbols: string;
  /** trace-cmd and perf: with addresses. */
  addresses: string;
  /** trace-cmd -R: fields only. */
  raw: string;
}

type Value = number | string | undefined;

/** Numbers that probes print in hex. */
const IN_HEX =
  /^(orig_addr|align_mask|attrs|min_align|seg_mask|dma_mask|ret|base|tlb_addr|pool|page|start|mem_start)$/;

/** `name=value` as a probe prints it; a field without a value is left out. */
function fieldText([name, value]: [string, Value]): string {
  if (typeof value === 'string') return ` ${name}=${value}`;
  if (value === undefined || Number.isNaN(value)) return '';
  if (value === Number.POSITIVE_INFINITY) return ` ${name}=0xffffffffffffffff`;
  return IN_HEX.test(name) ? ` ${name}=0x${value.toString(16)}` : ` ${name}=${value}`;
}

/** What a kprobe or fprobe prints: where it was hit, and its fields. */
export function probe(event: string, device: string, fields: Record<string, Value> = {}): Body {
  const isReturn = event.endsWith('_ret') || event === 'mapx';
  const values = Object.entries(fields).map(fieldText).join('');
  const named = (quote: string): string =>
    device === '' ? values : ` dev=${quote}${device}${quote}${values}`;
  const ip = 'ffffffffa1144ff0';
  return {
    event,
    group: 'swl',
    symbols: isReturn
      ? `(swiotlb_map+0x6f/0x260 <- swiotlb_tbl_map_single)${named('"')}`
      : `(swiotlb_tbl_map_single+0x5/0x460)${named('"')}`,
    addresses: isReturn ? `(${ip} <- ffffffffa114590f)${named('"')}` : `(${ip})${named('"')}`,
    raw: isReturn
      ? `__probe_func=${ip} __probe_ret_ip=ffffffffa114590f${named('')}`
      : `__probe_ip=${ip}${named('')}`,
  };
}

/** What a stock event prints, by its format and, with -R, without it. */
export function stock(group: string, event: string, text: string, raw = text): Body {
  return { event, group, symbols: text, addresses: text, raw };
}

/** `swiotlb_bounced`. */
export function bounced(device: string, devAddr: number, size: number): Body {
  const rest = `dma_mask=ffffffff dev_addr=${devAddr.toString(16)} size=${size}`;
  return stock(
    'swiotlb',
    'swiotlb_bounced',
    `dev_name: ${device} ${rest} FORCE`,
    `dev_name=${device} ${rest} force=1`,
  );
}

/** One record as a line, without the newline. */
export function recordLine(shape: Shape, body: Body, differing: Partial<Place> = {}): string {
  const { task, pid, cpu, level, seconds } = { ...PLACE, ...differing };
  const at = `[${String(cpu).padStart(3, '0')}]`;
  const micros = seconds.toFixed(6).padStart(12);
  const { event, group } = body;
  const perf = `${`${group}:${event}`.padStart(24)}: ${body.addresses}`;
  switch (shape) {
    case 'ftrace, 4 flags':
    case 'ftrace, 5 flags':
    case 'ftrace, 7 flags': {
      const flags = { 4: `d.${level}1`, 5: `d.${level}1.`, 7: `d..${level}1.1` }[
        Number(shape[8]) as 4 | 5 | 7
      ];
      const start = `${task.padStart(16)}-${String(pid).padEnd(7)}`;
      return `${start} ${at} ${flags} ${micros}: ${event}: ${body.symbols}`;
    }
    case 'trace-cmd':
      return `${task.padStart(16)}-${String(pid).padEnd(5)} ${at} ${micros}: ${`${event}: `.padEnd(22)}${body.addresses}`;
    case 'trace-cmd with flags':
      return `${task.padStart(16)}-${String(pid).padEnd(5)} ${at} d.${level}1. ${micros}: ${`${event}: `.padEnd(22)}${body.addresses}`;
    case 'trace-cmd -t':
      return `${task.padStart(16)}-${String(pid).padEnd(5)} ${at} ${seconds.toFixed(9).padStart(15)}: ${`${event}: `.padEnd(22)}${body.addresses}`;
    case 'trace-cmd -R':
      return `${task.padStart(16)}-${String(pid).padEnd(5)} ${at} ${micros}: ${`${event}: `.padEnd(23)}${body.raw}`;
    case 'perf':
      return `${task.padStart(16)} ${String(pid).padStart(5)} ${at} ${micros}: ${perf}`;
    case 'perf with pid/tid':
      return `${task.padStart(16)} ${`${String(pid).padStart(5)}/${pid}`.padEnd(11)} ${at} ${seconds.toFixed(9).padStart(15)}: ${perf}`;
  }
}

/** A record of tracefs with five flag columns, which most tests are content with. */
export function line(body: Body, differing: Partial<Place> = {}): string {
  return recordLine('ftrace, 5 flags', body, differing);
}

/** Lines as a file. */
export function file(...lines: string[]): string {
  return lines.map((text) => `${text}\n`).join('');
}

/** Base of the pool that tests use. */
export const BASE = 0x7c700000;

/** The records of a map whose lock was recorded. */
export function lockedMap(device: string, origAddr: number, size: number, ret: number): Body[] {
  return [
    probe('map', device, { orig_addr: origAddr, size, dir: 1, min_align: 0, seg_mask: 0xffffffff }),
    probe('map_locked', '', { idx0: 0, used0: 0 }),
    probe('map_ret', '', { ret, base: BASE, nslabs: 4096 }),
  ];
}

/** The records of an unmap whose lock was recorded. */
export function lockedUnmap(device: string, tlbAddr: number, size: number): Body[] {
  return [
    probe('unmap', device, { tlb_addr: tlbAddr, size, dir: 1, attrs: 0x20 }),
    probe('unmap_locked', '', { idx0: 0, used0: 0 }),
  ];
}
