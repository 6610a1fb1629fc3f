import type { CaptureFacts } from './facts.js';
import { eventNames, type ProbeSet, probeSets } from './probes.js';

/** What every tool that reads probe events can and cannot tell; the words differ with the release. */
export function probeWords(facts: CaptureFacts): string[] {
  const needless = facts.probes !== 'numbered';
  const calls =
    facts.probes === 'joined'
      ? 'One event per map, with arguments and result'
      : 'Two events per map, at its entry and at its return';
  return [
    `${calls}; one per unmap and per sync.`,
    'Overhead: a probe hit for each, and of buffer some 150 bytes for a map and 80 for another: 64 MiB',
    'hold about 200,000 maps with their unmaps and syncs. Nothing is copied or held up.',
    '',
    'What it cannot see:',
    '- what was mapped before it began: unmaps of those are without their map; start it before the',
    '  load, or from boot on (docs/capture.md),',
    '- on several CPUs, which of two calls under way at once took its slot first,',
    '- pages of a transient pool (CONFIG_SWIOTLB_DYNAMIC), but at the unmap.',
    ...(needless
      ? [
          'fprobe events lost nothing where they were tried. Where the kernel has none, kprobes do the work:',
          'on x86 one is missed when it is hit inside an interrupt that came while another probe was at',
          'work. kprobe_profile counts the missed; the script writes the count down and says so.',
        ]
      : [
          'On x86 a kprobe is missed when it is hit inside an interrupt that came while another probe',
          'was at work: a lost unmap then looks like a double allocation. kprobe_profile counts the',
          'missed; the script writes the count down and says so.',
          "The devices' masks need bpftool, which tells where this kernel has them; without it give",
          '--device to swiotlb-replay, or take the script for bpftrace.',
        ]),
  ];
}

/** Shell code that defines the events of group swl, in the best way that the kernel accepts. */
export function defineEvents(facts: CaptureFacts): string {
  const sets = probeSets(facts);
  const names = eventNames(facts);
  return `
tracing=
for dir in /sys/kernel/tracing /sys/kernel/debug/tracing; do
    [ ! -e "$dir/dynamic_events" ] || { tracing=$dir && break; }
done
[ -n "$tracing" ] || fail 'no tracefs: mount -t tracefs tracefs /sys/kernel/tracing'
[ ! -d "$tracing/events/swl" ] ||
    fail "another recording is at work. If there is none, it left its events behind; take them away:
  cd $tracing; rmdir instances/swiotlb-replay
  grep -o 'swl/[a-z_]*' dynamic_events | while read -r e; do echo \\"-:\\$e\\" >>dynamic_events; done"

# Takes the events away again.
forget() {
    for name in ${names.join(' ')}; do
        echo "-:swl/$name" >>"$tracing/dynamic_events" || :
    done 2>/dev/null
}

event() { printf '%s\\n' "$1" 2>/dev/null >>"$tracing/dynamic_events"; }

${baseOfPool(facts)}
${deviceOffsets(facts)}
# $arg1 and $retval below are words of the kernel, not of the shell.
# shellcheck disable=SC2016
{
${sets.map(setFunction).join('\n')}
}
${choose(sets)}
say probes "$probes" >"$work/probes"

# How often each kprobe was hit, and how often that was missed.
profile() {
    awk '$1 ~ /^(${names.join('|')})$/ { print "# capture: profile", $1, $2, $3 }' \\
        "$tracing/kprobe_profile" 2>/dev/null || :
}

warn_of_missed() {
    missed=$(profile | awk '{ n += $6 } END { print n + 0 }')
    [ "$missed" -eq 0 ] ||
        echo "note: $missed hits of probes were missed: the recording is incomplete" >&2
}`;
}

/** The pool by its symbol, which kernels without KALLSYMS_ALL do not tell. */
function baseOfPool({ pool }: CaptureFacts): string {
  return `# Where the default pool begins, and its slots.
base=
if grep -q ' ${pool.symbol}$' /proc/kallsyms; then
    base=' base=${pool.base} nslabs=${pool.nslabs}'
fi`;
}

/**
 * Members of struct device have no place of their own by symbol. What this kernel's BTF says of
 * itself holds for it, whatever the build; without a tool to read it the masks stay unknown.
 */
function deviceOffsets({ devicePool }: CaptureFacts): string {
  const pool =
    devicePool === 'plain'
      ? `
    mem=$(offset_of device dma_io_tlb_mem)
    slots=$(offset_of io_tlb_mem nslabs)
    if [ -n "$mem" ] && [ -n "$slots" ]; then
        device="$device mem_start=+0(+$mem(\\$arg1)):x64 mem_nslabs=+$slots(+$mem(\\$arg1)):u64"
    fi`
      : '';
  return `
# offset_of STRUCT MEMBER: in bytes, as the running kernel's BTF has it; nothing where it does not.
offset_of() {
    awk -v type="'$1'" -v member="'$2'" '
        /^\\[/ { within = $2 == "STRUCT" && $3 == type }
        within && $1 == member {
            sub(/.*bits_offset=/, "")
            print int($0 / 8)
            exit
        }' "$work/btf"
}

# Masks of the device of a map, for arguments by number: +OFFSET(ADDRESS) is the word there.
device_masks() {
    device=
    bpftool btf dump file /sys/kernel/btf/vmlinux format raw >"$work/btf" 2>/dev/null || :
    parms=$(offset_of device dma_parms)
    align=$(offset_of device_dma_parameters min_align_mask)
    boundary=$(offset_of device_dma_parameters segment_boundary_mask)
    mask=$(offset_of device dma_mask)
    if [ -n "$parms" ] && [ -n "$align" ]; then
        device="$device min_align=+$align(+$parms(\\$arg1)):x32"
    fi
    if [ -n "$parms" ] && [ -n "$boundary" ]; then
        device="$device seg_mask=+$boundary(+$parms(\\$arg1)):x64"
    fi
    [ -z "$mask" ] || device="$device dma_mask=+0(+$mask(\\$arg1)):x64"${pool}
    rm -f "$work/btf"
    [ -n "$parms" ] || cat >&2 <<'END'
note: no bpftool, or no BTF in this kernel: the devices' masks are not recorded. Where a device has
  some, tell swiotlb-replay: --device '*nvme*:min_align_mask=0xfff'. Or use the script for bpftrace.
END
}`;
}

function setFunction({ name, what, events, restricted, growing }: ProbeSet): string {
  const lines = events.map((event) => `    event ${event}`).join(' &&\n');
  const optional = (list: readonly string[]): string[] =>
    list.map((event) => `    event ${event} || :`);
  return `
# ${what[0].toUpperCase()}${what.slice(1)}.
${name}() {
${lines}
}
${name}_more() {
${[...optional(growing), '    [ -n "$restricted" ] || return 0', ...optional(restricted)].join('\n')}
}`;
}

/** Shell code that tries the sets in their order. */
function choose(sets: readonly ProbeSet[]): string {
  const attempts = sets.map(({ name }, n) => {
    const first = n > 0 ? 'forget && ' : '';
    const prepare = name === 'by_kprobe' ? 'device_masks && ' : '';
    return `${n > 0 ? 'elif' : 'if'} ${first}${prepare}${name}; then
    probes=${name.replace('by_', '')}`;
  });
  return `
# The first way that this kernel accepts.
defined=yes
${attempts.join('\n')}
else
    tail -n 4 "$tracing/error_log" >&2 2>/dev/null || :
    fail 'the kernel takes no probes on swiotlb: is CONFIG_KPROBE_EVENTS set, and is it locked down?'
fi

# swiotlb_alloc() and what frees serve restricted pools alone. What this kernel lacks is left out.
restricted=$(kernel_log | grep 'restricted DMA pool at' || :)
"by_\${probes}_more"`;
}
