import { type Argument, type CaptureFacts, type ProbedCall, versionNumber } from './facts.js';
import { opening, surroundings } from './shell.js';

/*
 * A program for bpftrace that prints the lines that formats/bpftrace.ts reads. From v6.6 on it uses
 * fentry and fexit; before, a function of seven arguments can have neither on x86 (473e3150e30a), and
 * kprobes do the work.
 */

/** The first release whose map can have fentry and fexit, whatever its arguments. */
const TRAMPOLINE = versionNumber(6, 6);

/** Stands for the seventh argument, which x86-64 has on the stack and arm64 in a register. */
const SEVENTH = 'SEVENTH_ARGUMENT';

/** A script that prints maps with arguments and result in one line, device masks and pools by BTF. */
export function bpftraceScript(facts: CaptureFacts): string {
  return `${opening(facts, 'bpftrace', words(facts), ['bpftrace', 'sort', 'timeout'])}
${surroundings('bpftrace')}

cleanup() { rm -rf "$work" "$file.part"; }

[ -r /sys/kernel/btf/vmlinux ] || fail 'this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)'
${seventhArgument(facts)}
cat >"$work/program.bt" <<'PROGRAM'
${program(facts)}PROGRAM
${usesSeventh(facts) ? `sed "s/${SEVENTH}/$seventh/" "$work/program.bt" >"$work/sized.bt"\nmv "$work/sized.bt" "$work/program.bt"\n` : ''}
before >"$work/before"
echo "recording; Ctrl-C ends it" >&2
# Pages of buffer per CPU, a power of two.
pages=64
while [ $((pages * 8)) -le "$kib" ]; do pages=$((pages * 2)); done
trap : INT
BPFTRACE_PERF_RB_PAGES=$pages timeout --foreground -s INT "$seconds" \\
    bpftrace -o "$work/events" "$work/program.bt" || :
trap 'exit 1' INT
grep -q '^[a-z_]*,' "$work/events" || echo 'note: nothing was recorded: did anything bounce?' >&2
{
    cat "$work/before"
    kernel_log
    echo '#swiotlb-bpftrace 1'
    # The lines come CPU by CPU; the second field is the time.
    LC_ALL=C sort -s -t , -k 2,2n "$work/events"
    pools
} | pack
`;
}

function words(facts: CaptureFacts): string[] {
  const how =
    facts.version >= TRAMPOLINE
      ? [
          'It uses fentry and fexit, by BTF names (bpftrace 0.20 or newer). A hit is missed when it comes',
          'inside an interrupt while the same program is at work on the same CPU; nothing counts these.',
        ]
      : [
          'It uses kprobes. A hit is missed when it comes inside an interrupt while another of its',
          'programs is at work on the same CPU; where a return has lost its entry the archive says so,',
          'a lost unmap shows nowhere. The script for ftrace counts what it misses; where bpftool is',
          'installed it has the devices masks as well.',
        ];
  return [
    'One line per map with its arguments, its result and the times of both; one per unmap and sync;',
    'one per device with its masks and its pool.',
    ...how,
    'Overhead: two programs per map, one per other call; the lines are printed while it records, so',
    'that a busy machine loses some, and the archive says how many.',
    '',
    'What it cannot see:',
    '- what was mapped before it began,',
    '- on several CPUs, which of two calls under way at once took its slot first; the time of the',
    '  entry is there to tell how far that goes,',
    '- swiotlb_alloc() of restricted pools, pools that grow, and transient pools.',
  ];
}

function usesSeventh(facts: CaptureFacts): boolean {
  return facts.version < TRAMPOLINE && facts.map.args.length > 6;
}

function seventhArgument(facts: CaptureFacts): string {
  if (!usesSeventh(facts)) return '';
  return `
case $(uname -m) in
x86_64) seventh=sarg0 ;;
aarch64) seventh=arg6 ;;
*) fail "where $(uname -m) has a seventh argument is not known to this script" ;;
esac`;
}

/** An argument as the program reads it; undefined where the function has none of that field. */
type ReadField = (field: string) => string | undefined;

function program(facts: CaptureFacts): string {
  const { map, others } = facts;
  const maps = facts.version >= TRAMPOLINE ? fentryMap(facts) : kprobeMap(facts);
  const simple = others.map((call) => simpleProbe(facts, call));
  const { names } = maps;
  return `// One call may be interrupted by another, so entries are stacked per task; of idle tasks, which
// are all number 0, there is one per CPU.
${maps.text}
${simple.join('\n')}
END { ${['depth', 'seen', ...names].map((name) => `clear(@${name});`).join(' ')} }
`.replaceAll('MAP', map.symbol);
}

const TASK = `  $task = (uint64)tid;
  if ($task == 0) { $task = (uint64)10000000 + (uint64)cpu; }`;

/** How a kprobe reads arguments. */
function byNumber(call: ProbedCall): ReadField {
  return (field) => {
    const index = call.args.findIndex((arg) => arg.field === field);
    if (index < 0) return undefined;
    const value = index < 6 ? `arg${index}` : SEVENTH;
    // The upper half of a register that holds 32 bits is nobody's.
    return ['s32', 'x32'].includes(call.args[index].type) ? `(uint32)${value}` : value;
  };
}

/** How fentry and fexit read arguments. */
function byName(call: ProbedCall): ReadField {
  return (field) => {
    const arg: Argument | undefined = call.args.find((candidate) => candidate.field === field);
    return arg && `${arg.pointer ? '*' : ''}args.${arg.name}`;
  };
}

/** The line of a device, once for each set of masks that it is seen with. */
function deviceLine(facts: CaptureFacts): string {
  const { base, nslabs, areas, restricted, prepare } = poolFields(facts);
  return `  $min = (uint64)$dev->dma_parms->min_align_mask;
  $seg = (uint64)$dev->dma_parms->segment_boundary_mask;
  $mask = (uint64)*$dev->dma_mask;
  if (@seen[(uint64)$dev, $min, $seg, $mask] == 0) {
    @seen[(uint64)$dev, $min, $seg, $mask] = 1;${prepare}
    printf("device,%llu,%d,0x%llx,0x%llx,0x%llx,0x%llx,%llu,%d,%d,%s\\n", nsecs, cpu, $min, $seg, $mask,
      ${base}, ${nslabs}, ${areas}, ${restricted}, str($dev->kobj.name));
  }`;
}

interface PoolFields {
  base: string;
  nslabs: string;
  areas: string;
  restricted: string;
  prepare: string;
}

function poolFields({ devicePool, hasAreas, pool }: CaptureFacts): PoolFields {
  const line = '\n    ';
  if (devicePool === 'defpool') {
    return {
      prepare: `${line}$mem = $dev->dma_io_tlb_mem;`,
      base: '$mem->defpool.start',
      nslabs: '$mem->defpool.nslabs',
      areas: '$mem->defpool.nareas',
      restricted: '$mem->for_alloc',
    };
  }
  const ofMem = {
    base: '$mem->start',
    nslabs: '$mem->nslabs',
    areas: hasAreas ? '$mem->nareas' : '1',
  };
  if (devicePool === 'plain') {
    return {
      ...ofMem,
      prepare: `${line}$mem = $dev->dma_io_tlb_mem;`,
      restricted: '$mem->for_alloc',
    };
  }
  if (pool.symbol === 'io_tlb_default_mem') {
    return {
      ...ofMem,
      prepare: `${line}$mem = (struct io_tlb_mem *)*(uint64 *)kaddr("io_tlb_default_mem");`,
      restricted: '0',
    };
  }
  return {
    prepare: '',
    base: '*(uint64 *)kaddr("io_tlb_start")',
    nslabs: '*(uint64 *)kaddr("io_tlb_nslabs")',
    areas: '1',
    restricted: '0',
  };
}

/** The numbers of a map that not every release has: empty fields in the line. */
function mapFormat(read: ReadField): string {
  const number = (field: string, format: string): string =>
    read(field) === undefined ? '' : format;
  return `map,%llu,%d,%llu,0x%llx,%llu,${number('alloc_size', '%llu')},${number('align_mask', '0x%llx')},%d,0x%llx,0x%llx,%s\\n`;
}

/** Fields of a map between its times and its result. */
const MAP_FIELDS = ['orig_addr', 'size', 'alloc_size', 'align_mask', 'dir', 'attrs'] as const;

interface MapProbes {
  text: string;
  /** Maps of the program that must not be printed at its end. */
  names: string[];
}

function fentryMap(facts: CaptureFacts): MapProbes {
  const read = byName(facts.map);
  const fields = MAP_FIELDS.flatMap((field) => read(field) ?? []);
  return {
    names: ['entry'],
    text: `fentry:MAP {
${TASK}
  @depth[$task] = @depth[$task] + 1;
  @entry[$task, @depth[$task]] = nsecs;
  $dev = args.dev;
${deviceLine(facts)}
}
fexit:MAP {
${TASK}
  $depth = @depth[$task];
  // 0 where the entry was missed.
  $entry = @entry[$task, $depth];
  printf("${mapFormat(read)}", nsecs, cpu, $entry,
    ${fields.join(', ')}, retval, str(args.dev->kobj.name));
  if ($depth > 0) {
    delete(@entry[$task, $depth]);
    @depth[$task] = $depth - 1;
  }
}`,
  };
}

function kprobeMap(facts: CaptureFacts): MapProbes {
  const read = byNumber(facts.map);
  const fields = MAP_FIELDS.filter((field) => read(field) !== undefined);
  const names = ['entry', 'dev', ...fields];
  const at = (name: string): string => `@${name}[$task, $depth]`;
  return {
    names,
    text: `kprobe:MAP {
${TASK}
  $depth = @depth[$task] + 1;
  @depth[$task] = $depth;
  ${at('entry')} = nsecs;
  ${at('dev')} = (uint64)arg0;
${fields.map((field) => `  ${at(field)} = (uint64)${read(field)};`).join('\n')}
  $dev = (struct device *)arg0;
${deviceLine(facts)}
}
kretprobe:MAP {
${TASK}
  $depth = @depth[$task];
  if ($depth > 0) {
    $dev = (struct device *)${at('dev')};
    printf("${mapFormat(read)}", nsecs, cpu, ${at('entry')},
      ${fields.map(at).join(', ')},
      retval, str($dev->kobj.name));
${names.map((name) => `    delete(${at(name)});`).join('\n')}
    @depth[$task] = $depth - 1;
  } else {
    // Its entry was missed.
    printf("orphan,%llu,%d\\n", nsecs, cpu);
  }
}`,
  };
}

/** An unmap or a sync: one line at its entry. */
function simpleProbe(facts: CaptureFacts, call: ProbedCall): string {
  const trampoline = facts.version >= TRAMPOLINE;
  const read = trampoline ? byName(call) : byNumber(call);
  const dev = trampoline ? 'args.dev' : '$dev';
  const name = `str(${dev}->kobj.name)`;
  const isUnmap = call.event === 'unmap';
  const allocSize = isUnmap && read('alloc_size') !== undefined;
  // v5.10's sync has a target: 0 for the CPU, 1 for the device.
  const extra = isUnmap ? `,${allocSize ? '%llu' : ''},%d,0x%llx` : ',%d';
  const target = call.event === 'sync' ? ',%d' : '';
  const fields = [
    read('tlb_addr'),
    read('size'),
    allocSize ? read('alloc_size') : undefined,
    read('dir'),
    isUnmap ? read('attrs') : undefined,
    read('target'),
  ].filter((field) => field !== undefined);
  return `${trampoline ? 'fentry' : 'kprobe'}:${call.symbol} {${trampoline ? '' : '\n  $dev = (struct device *)arg0;'}
  printf("${call.event},%llu,%d,0x%llx,%llu${extra}${target},%s\\n", nsecs, cpu,
    ${fields.join(', ')}, ${name});
}`;
}
