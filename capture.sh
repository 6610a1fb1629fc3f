#!/bin/sh
# Records what swiotlb does on Linux 6.12, with trace-cmd, for swiotlb-replay.
#
# Usage, as root: sh THIS-SCRIPT [SECONDS [FILE [KIB]]]
#   SECONDS  how long to record; 0 is until Ctrl-C (default 60)
#   FILE     the archive, one gzipped text (default swiotlb-capture.gz)
#   KIB      buffer per CPU, in KiB (default 65536)
# Then: swiotlb-replay FILE
#
# One event per map, with arguments and result; one per unmap and per sync.
# Overhead: a probe hit for each, and of buffer some 150 bytes for a map and 80 for another: 64 MiB
# hold about 200,000 maps with their unmaps and syncs. Nothing is copied or held up.
#
# What it cannot see:
# - what was mapped before it began: unmaps of those are without their map; start it before the
#   load, or from boot on (docs/capture.md),
# - on several CPUs, which of two calls under way at once took its slot first,
# - pages of a transient pool (CONFIG_SWIOTLB_DYNAMIC), but at the unmap.
# fprobe events lost nothing where they were tried. Where the kernel has none, kprobes do the work:
# on x86 one is missed when it is hit inside an interrupt that came while another probe was at
# work. kprobe_profile counts the missed; the script writes the count down and says so.
#
# The archive holds names of devices and addresses, and of dmesg the lines about swiotlb, the
# version and the command line; no data. Look at it with zcat before you pass it on.
set -eu

fail() {
    echo "$0: $*" >&2
    exit 1
}

seconds=${1:-60}
file=${2:-swiotlb-capture.gz}
kib=${3:-65536}
case $seconds:$kib in
:* | *: | *[!0-9:]*) fail 'usage: SECONDS and KIB are numbers' ;;
esac
[ "$(id -u)" -eq 0 ] || fail 'needs root: probes are the kernel'\''s'
for program in gzip awk trace-cmd; do
    command -v "$program" >/dev/null || fail "needs $program"
done
case $(uname -r) in
6.12.* | 6.12-*) ;;
*) echo "note: made for Linux 6.12, and this is $(uname -r): arguments may differ" >&2 ;;
esac

# Whatever ends the script, it leaves the kernel as it was.
work=$(mktemp -d)
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

say() { printf '# capture: %s\n' "$*"; }

# What debugfs says of each pool; the default one lies in the folder itself.
pools() {
    for value in /sys/kernel/debug/swiotlb/io_tlb_* /sys/kernel/debug/swiotlb/*/io_tlb_*; do
        [ -r "$value" ] || continue
        pool=${value#/sys/kernel/debug/swiotlb/}
        case $pool in
        */*) pool=${pool%/*} ;;
        *) pool=default ;;
        esac
        say debugfs "$pool" "${value##*/}" "$(cat "$value")"
    done
}

# The options of the kernel's build that change how swiotlb works.
config() {
    { gzip -dc /proc/config.gz || cat "/boot/config-$(uname -r)"; } 2>/dev/null |
        awk '/^CONFIG_(SWIOTLB|SWIOTLB_DYNAMIC|DMA_RESTRICTED_POOL)=/ { print "# capture: config " $0 }'
}

before() {
    say version 1
    say tool trace-cmd
    say uname "$(uname -a)"
    say page_size "$(getconf PAGESIZE)"
    say cpus "$(getconf _NPROCESSORS_CONF)"
    say cmdline "$(cat /proc/cmdline)"
    config
    pools
}

# Where the pools lie, and what failed; the journal still has it where dmesg has lost the boot.
kernel_log() {
    log='Linux version|ommand line:|software IO TLB|SWIOTLB|swiotlb|restricted DMA pool'
    if dmesg 2>/dev/null | grep -q 'Linux version'; then
        dmesg | grep -E "$log" || :
    else
        journalctl -k -b -o short-monotonic --no-pager 2>/dev/null | grep -E "$log" || :
    fi
}

# The archive appears complete or not at all.
pack() {
    gzip >"$file.part"
    mv "$file.part" "$file"
    echo "$file: $(gzip -dc "$file" | wc -l) lines" >&2
}

cleanup() {
    trap '' HUP INT TERM
    [ -z "${defined:-}" ] || forget
    rm -rf "$work" "$file.part"
}

tracing=
for dir in /sys/kernel/tracing /sys/kernel/debug/tracing; do
    [ ! -e "$dir/dynamic_events" ] || { tracing=$dir && break; }
done
[ -n "$tracing" ] || fail 'no tracefs: mount -t tracefs tracefs /sys/kernel/tracing'
[ ! -d "$tracing/events/swl" ] ||
    fail "another recording is at work. If there is none, it left its events behind; take them away:
  cd $tracing; rmdir instances/swiotlb-replay
  grep -o 'swl/[a-z_]*' dynamic_events | while read -r e; do echo \"-:\$e\" >>dynamic_events; done"

# Takes the events away again.
forget() {
    for name in mapx unmap sync_cpu sync_dev alloc free release alloc_ret pool_add map map_ret; do
        echo "-:swl/$name" >>"$tracing/dynamic_events" || :
    done 2>/dev/null
}

event() { printf '%s\n' "$1" 2>/dev/null >>"$tracing/dynamic_events"; }

# Where the default pool begins, and its slots.
base=
if grep -q ' io_tlb_default_mem$' /proc/kallsyms; then
    base=' base=@io_tlb_default_mem:x64 nslabs=@io_tlb_default_mem+24:u64'
fi

# offset_of STRUCT MEMBER: in bytes, as the running kernel's BTF has it; nothing where it does not.
offset_of() {
    awk -v type="'$1'" -v member="'$2'" '
        /^\[/ { within = $2 == "STRUCT" && $3 == type }
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
        device="$device min_align=+$align(+$parms(\$arg1)):x32"
    fi
    if [ -n "$parms" ] && [ -n "$boundary" ]; then
        device="$device seg_mask=+$boundary(+$parms(\$arg1)):x64"
    fi
    [ -z "$mask" ] || device="$device dma_mask=+0(+$mask(\$arg1)):x64"
    rm -f "$work/btf"
    [ -n "$parms" ] || cat >&2 <<'END'
note: no bpftool, or no BTF in this kernel: the devices' masks are not recorded. Where a device has
  some, tell swiotlb-replay: --device '*nvme*:min_align_mask=0xfff'. Or use the script for bpftrace.
END
}
# $arg1 and $retval below are words of the kernel, not of the shell.
# shellcheck disable=SC2016
{

# Fprobe events: nothing is lost inside interrupts.
by_fprobe() {
    event 'f:swl/mapx swiotlb_tbl_map_single%return dev=dev->kobj.name:string orig_addr=orig_addr:x64 size=mapping_size:u64 align_mask=alloc_align_mask:x32 dir=dir:s32 attrs=attrs:x64 min_align=dev->dma_parms->min_align_mask:x32 seg_mask=dev->dma_parms->segment_boundary_mask:x64 dma_mask=+0(dev->dma_mask):x64 mem_start=dev->dma_io_tlb_mem->defpool.start:x64 mem_nslabs=dev->dma_io_tlb_mem->defpool.nslabs:u64 ret=$retval:x64'"$base" &&
    event 'f:swl/unmap __swiotlb_tbl_unmap_single dev=dev->kobj.name:string tlb_addr=tlb_addr:x64 size=mapping_size:u64 dir=dir:s32 attrs=attrs:x64 pool_start=pool->start:x64' &&
    event 'f:swl/sync_cpu __swiotlb_sync_single_for_cpu dev=dev->kobj.name:string tlb_addr=tlb_addr:x64 size=size:u64 dir=dir:s32' &&
    event 'f:swl/sync_dev __swiotlb_sync_single_for_device dev=dev->kobj.name:string tlb_addr=tlb_addr:x64 size=size:u64 dir=dir:s32'
}
by_fprobe_more() {
    event 'f:swl/pool_add add_mem_pool start=pool->start:x64 nslabs=pool->nslabs:u64 nareas=pool->nareas:u32' || :
    [ -n "$restricted" ] || return 0
    event 'f:swl/alloc swiotlb_alloc dev=dev->kobj.name:string size=size:u64 min_align=dev->dma_parms->min_align_mask:x32 seg_mask=dev->dma_parms->segment_boundary_mask:x64 dma_mask=+0(dev->dma_mask):x64 mem_start=dev->dma_io_tlb_mem->defpool.start:x64 mem_nslabs=dev->dma_io_tlb_mem->defpool.nslabs:u64' || :
    event 'f:swl/free swiotlb_free dev=dev->kobj.name:string page=page:x64 size=size:u64' || :
    event 'f:swl/release swiotlb_release_slots dev=dev->kobj.name:string tlb_addr=tlb_addr:x64' || :
    event 'f:swl/alloc_ret swiotlb_alloc%return page=$retval:x64' || :
}

# Kprobes with BTF names, where the kernel has no fprobes.
by_kprobe_btf() {
    event 'r256:swl/mapx swiotlb_tbl_map_single dev=dev->kobj.name:string orig_addr=orig_addr:x64 size=mapping_size:u64 align_mask=alloc_align_mask:x32 dir=dir:s32 attrs=attrs:x64 min_align=dev->dma_parms->min_align_mask:x32 seg_mask=dev->dma_parms->segment_boundary_mask:x64 dma_mask=+0(dev->dma_mask):x64 mem_start=dev->dma_io_tlb_mem->defpool.start:x64 mem_nslabs=dev->dma_io_tlb_mem->defpool.nslabs:u64 ret=$retval:x64'"$base" &&
    event 'p:swl/unmap __swiotlb_tbl_unmap_single dev=dev->kobj.name:string tlb_addr=tlb_addr:x64 size=mapping_size:u64 dir=dir:s32 attrs=attrs:x64 pool_start=pool->start:x64' &&
    event 'p:swl/sync_cpu __swiotlb_sync_single_for_cpu dev=dev->kobj.name:string tlb_addr=tlb_addr:x64 size=size:u64 dir=dir:s32' &&
    event 'p:swl/sync_dev __swiotlb_sync_single_for_device dev=dev->kobj.name:string tlb_addr=tlb_addr:x64 size=size:u64 dir=dir:s32'
}
by_kprobe_btf_more() {
    event 'p:swl/pool_add add_mem_pool start=pool->start:x64 nslabs=pool->nslabs:u64 nareas=pool->nareas:u32' || :
    [ -n "$restricted" ] || return 0
    event 'p:swl/alloc swiotlb_alloc dev=dev->kobj.name:string size=size:u64 min_align=dev->dma_parms->min_align_mask:x32 seg_mask=dev->dma_parms->segment_boundary_mask:x64 dma_mask=+0(dev->dma_mask):x64 mem_start=dev->dma_io_tlb_mem->defpool.start:x64 mem_nslabs=dev->dma_io_tlb_mem->defpool.nslabs:u64' || :
    event 'p:swl/free swiotlb_free dev=dev->kobj.name:string page=page:x64 size=size:u64' || :
    event 'p:swl/release swiotlb_release_slots dev=dev->kobj.name:string tlb_addr=tlb_addr:x64' || :
    event 'r256:swl/alloc_ret swiotlb_alloc page=$retval:x64' || :
}

# Kprobes with arguments by their number: only symbols are needed.
by_kprobe() {
    event 'p:swl/map swiotlb_tbl_map_single dev=+0(+0($arg1)):string orig_addr=$arg2:x64 size=$arg3:u64 align_mask=$arg4:x32 dir=$arg5:s32 attrs=$arg6:x64'"$device$base" &&
    event 'r256:swl/map_ret swiotlb_tbl_map_single ret=$retval:x64' &&
    event 'p:swl/unmap __swiotlb_tbl_unmap_single dev=+0(+0($arg1)):string tlb_addr=$arg2:x64 size=$arg3:u64 dir=$arg4:s32 attrs=$arg5:x64 pool_start=+0($arg6):x64' &&
    event 'p:swl/sync_cpu __swiotlb_sync_single_for_cpu dev=+0(+0($arg1)):string tlb_addr=$arg2:x64 size=$arg3:u64 dir=$arg4:s32' &&
    event 'p:swl/sync_dev __swiotlb_sync_single_for_device dev=+0(+0($arg1)):string tlb_addr=$arg2:x64 size=$arg3:u64 dir=$arg4:s32'
}
by_kprobe_more() {
    [ -n "$restricted" ] || return 0
    event 'p:swl/alloc swiotlb_alloc dev=+0(+0($arg1)):string size=$arg2:u64'"$device" || :
    event 'p:swl/free swiotlb_free dev=+0(+0($arg1)):string page=$arg2:x64 size=$arg3:u64' || :
    event 'p:swl/release swiotlb_release_slots dev=+0(+0($arg1)):string tlb_addr=$arg2:x64' || :
    event 'r256:swl/alloc_ret swiotlb_alloc page=$retval:x64' || :
}
}

# The first way that this kernel accepts.
defined=yes
if by_fprobe; then
    probes=fprobe
elif forget && by_kprobe_btf; then
    probes=kprobe_btf
elif forget && device_masks && by_kprobe; then
    probes=kprobe
else
    tail -n 4 "$tracing/error_log" >&2 2>/dev/null || :
    fail 'the kernel takes no probes on swiotlb: is CONFIG_KPROBE_EVENTS set, and is it locked down?'
fi

# swiotlb_alloc() and what frees serve restricted pools alone. What this kernel lacks is left out.
restricted=$(kernel_log | grep 'restricted DMA pool at' || :)
"by_${probes}_more"
say probes "$probes" >"$work/probes"

# How often each kprobe was hit, and how often that was missed.
profile() {
    awk '$1 ~ /^(mapx|unmap|sync_cpu|sync_dev|alloc|free|release|alloc_ret|pool_add|map|map_ret)$/ { print "# capture: profile", $1, $2, $3 }' \
        "$tracing/kprobe_profile" 2>/dev/null || :
}

warn_of_missed() {
    missed=$(profile | awk '{ n += $6 } END { print n + 0 }')
    [ "$missed" -eq 0 ] ||
        echo "note: $missed hits of probes were missed: the recording is incomplete" >&2
}

before >"$work/before"
echo "recording; Ctrl-C ends it" >&2
# With the clock `global` time never goes back from one CPU to the next.
set -- trace-cmd record -C global -b "$kib" -e swl -o "$work/trace.dat"
[ "$seconds" -eq 0 ] || set -- "$@" sleep "$seconds"
trap : INT
"$@" >"$work/record.txt" 2>&1 || :
trap 'exit 1' INT
[ -s "$work/trace.dat" ] || { cat "$work/record.txt" >&2 && fail 'trace-cmd recorded nothing'; }

warn_of_missed
{
    cat "$work/before" "$work/probes"
    kernel_log
    # Nanoseconds keep what lies within a microsecond in order.
    trace-cmd report -t -i "$work/trace.dat"
    profile
    pools
} | pack
