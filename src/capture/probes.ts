import type { Argument, CaptureFacts, ProbedCall } from './facts.js';

/*
 * Definitions of probe events, as dynamic_events takes them. Each is one word for the shell: text in
 * single quotes, and behind it variables that the script fills when it runs.
 */

/** Return probes that may be under way at once; one short of them is missed. */
const MAX_ACTIVE = 256;

/** What the script finds out by itself and adds to an event. */
const BASE = '"$base"';
const DEVICE = '"$device"';
const DEVICE_AND_BASE = '"$device$base"';

/** Fields of a map by BTF names: what its device asks for, and the pool that it uses. */
const NAMED_DEVICE = [
  'min_align=dev->dma_parms->min_align_mask:x32',
  'seg_mask=dev->dma_parms->segment_boundary_mask:x64',
  'dma_mask=+0(dev->dma_mask):x64',
  'mem_start=dev->dma_io_tlb_mem->defpool.start:x64',
  'mem_nslabs=dev->dma_io_tlb_mem->defpool.nslabs:u64',
];

/** A way to define all events; the script takes the first that its kernel accepts. */
export interface ProbeSet {
  /** Name of the shell function, and what the archive says was used. */
  name: string;
  /** For the comment. */
  what: string;
  events: readonly string[];
  /** Where there are restricted pools. */
  restricted: readonly string[];
  /** With CONFIG_SWIOTLB_DYNAMIC, where the compiler left the function whole. */
  growing: readonly string[];
}

/** The sets of a release, the best first. */
export function probeSets(facts: CaptureFacts): ProbeSet[] {
  const numbered = numberedSet(facts);
  if (facts.probes === 'numbered') return [numbered];
  return [
    namedSet(facts, 'fprobe', 'fprobe events: nothing is lost inside interrupts'),
    namedSet(facts, 'kprobe_btf', 'kprobes with BTF names, where the kernel has no fprobes'),
    numbered,
  ];
}

/** The events of every set, for the end of the script. */
export function eventNames(facts: CaptureFacts): string[] {
  const all = probeSets(facts).flatMap(({ events, restricted, growing }) => [
    ...events,
    ...restricted,
    ...growing,
  ]);
  return [...new Set(all.map((event) => /swl\/(\w+)/.exec(event)?.[1] ?? ''))];
}

function namedSet(facts: CaptureFacts, name: 'fprobe' | 'kprobe_btf', what: string): ProbeSet {
  const entry = (call: ProbedCall, more: readonly string[], behind = ''): string =>
    define(name === 'fprobe' ? 'f' : 'p', call.event, call.symbol, fields(call, more), behind);
  const exit = (event: string, { symbol }: ProbedCall, more: string[], behind = ''): string =>
    name === 'fprobe'
      ? define('f', event, `${symbol}%return`, more, behind)
      : define(`r${MAX_ACTIVE}`, event, symbol, more, behind);
  const fields = (call: ProbedCall, more: readonly string[]): string[] => [
    ...call.args.flatMap((arg) => namedField(arg)),
    ...more,
  ];
  const { map, others, restricted } = facts;
  const maps =
    facts.probes === 'joined'
      ? [exit('mapx', map, [...fields(map, NAMED_DEVICE), 'ret=$retval:x64'], BASE)]
      : [entry(map, NAMED_DEVICE, BASE), exit('map_ret', map, ['ret=$retval:x64'])];
  const alloc = restricted.find(({ event }) => event === 'alloc');
  return {
    name: `by_${name}`,
    what,
    events: [...maps, ...others.map((call) => entry(call, []))],
    restricted: [
      ...restricted.map((call) => entry(call, call === alloc ? NAMED_DEVICE : [])),
      ...(alloc ? [exit('alloc_ret', alloc, ['page=$retval:x64'])] : []),
    ],
    growing: [
      define(name === 'fprobe' ? 'f' : 'p', 'pool_add', 'add_mem_pool', [
        'start=pool->start:x64',
        'nslabs=pool->nslabs:u64',
        'nareas=pool->nareas:u32',
      ]),
    ],
  };
}

function numberedSet({ map, others, restricted }: CaptureFacts): ProbeSet {
  const entry = (call: ProbedCall, behind = ''): string =>
    define('p', call.event, call.symbol, call.args.flatMap(numberedField), behind);
  const exit = (event: string, { symbol }: ProbedCall, field: string): string =>
    define(`r${MAX_ACTIVE}`, event, symbol, [field]);
  const alloc = restricted.find(({ event }) => event === 'alloc');
  return {
    name: 'by_kprobe',
    what: 'kprobes with arguments by their number: only symbols are needed',
    events: [
      entry(map, DEVICE_AND_BASE),
      exit('map_ret', map, 'ret=$retval:x64'),
      ...others.map((call) => entry(call)),
    ],
    restricted: [
      ...restricted.map((call) => entry(call, call === alloc ? DEVICE : '')),
      ...(alloc ? [exit('alloc_ret', alloc, 'page=$retval:x64')] : []),
    ],
    growing: [],
  };
}

function namedField({ name, field, type, pointer, firstMember }: Argument): string[] {
  if (field === undefined) return [];
  if (type === 'string') return [`${field}=${name}->kobj.name:string`];
  if (firstMember !== undefined) return [`${field}=${name}->${firstMember}:${type}`];
  return [`${field}=${pointer ? `+0(${name})` : name}:${type}`];
}

/** kobj is the first member of struct device, and name the first of struct kobject. */
function numberedField(argument: Argument, index: number): string[] {
  const { field, type, pointer, firstMember } = argument;
  if (field === undefined) return [];
  const arg = `$arg${index + 1}`;
  if (type === 'string') return [`${field}=+0(+0(${arg})):string`];
  return [`${field}=${pointer || firstMember !== undefined ? `+0(${arg})` : arg}:${type}`];
}

function define(
  kind: string,
  event: string,
  where: string,
  fields: readonly string[],
  behind = '',
): string {
  return `'${kind}:swl/${event} ${where} ${fields.join(' ')}'${behind}`;
}

/**
 * The kernel's own parameters that record from boot on: kprobes with arguments by number, which need
 * nothing but symbols, started before the drivers look for their devices.
 */
export function bootParameters(facts: CaptureFacts): string[] {
  const { events } = numberedSet(facts);
  const { base, nslabs } = facts.pool;
  const pool = ` base=${base} nslabs=${nslabs}`;
  const probes = events.map((event) =>
    event.replace(DEVICE_AND_BASE, pool).replaceAll("'", '').replaceAll(' ', ','),
  );
  return ['trace_clock=global', 'trace_buf_size=65536K', `kprobe_event=${probes.join(';')}`];
}
