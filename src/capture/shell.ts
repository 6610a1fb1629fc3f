import type { CaptureFacts } from './facts.js';

/** Text as shell comments, one line each. */
function comment(lines: readonly string[]): string {
  return lines.map((line) => (line === '' ? '#' : `# ${line}`)).join('\n');
}

/** What every script begins with: what it is for, its arguments, and what it needs. */
export function opening(
  facts: CaptureFacts,
  tool: string,
  about: readonly string[],
  needs: readonly string[],
): string {
  const series = facts.release.replace(/^v?(\d+\.\d+).*/, '$1');
  return `#!/bin/sh
${comment([
  `Records what swiotlb does on Linux ${facts.release.replace(/^v/, '')}, with ${tool}, for swiotlb-replay.`,
  '',
  'Usage, as root: sh THIS-SCRIPT [SECONDS [FILE [KIB]]]',
  '  SECONDS  how long to record; 0 is until Ctrl-C (default 60)',
  '  FILE     the archive, one gzipped text (default swiotlb-capture.gz)',
  '  KIB      buffer per CPU, in KiB (default 65536)',
  'Then: swiotlb-replay FILE',
  '',
  ...about,
  '',
  'The archive holds names of devices and addresses, and of dmesg the lines about swiotlb, the',
  'version and the command line; no data. Look at it with zcat before you pass it on.',
])}
set -eu

fail() {
    echo "$0: $*" >&2
    exit 1
}

seconds=\${1:-60}
file=\${2:-swiotlb-capture.gz}
kib=\${3:-65536}
case $seconds:$kib in
:* | *: | *[!0-9:]*) fail 'usage: SECONDS and KIB are numbers' ;;
esac
[ "$(id -u)" -eq 0 ] || fail 'needs root: probes are the kernel'\\''s'
for program in ${['gzip', 'awk', ...needs].join(' ')}; do
    command -v "$program" >/dev/null || fail "needs $program"
done
case $(uname -r) in
${series}.* | ${series}-*) ;;
*) echo "note: made for Linux ${series}, and this is $(uname -r): arguments may differ" >&2 ;;
esac

# Whatever ends the script, it leaves the kernel as it was.
work=$(mktemp -d)
trap cleanup EXIT
trap 'exit 1' HUP INT TERM`;
}

/** Functions that write down what surrounds a recording, one `# capture:` line each. */
export function surroundings(tool: string): string {
  return `
say() { printf '# capture: %s\\n' "$*"; }

# What debugfs says of each pool; the default one lies in the folder itself.
pools() {
    for value in /sys/kernel/debug/swiotlb/io_tlb_* /sys/kernel/debug/swiotlb/*/io_tlb_*; do
        [ -r "$value" ] || continue
        pool=\${value#/sys/kernel/debug/swiotlb/}
        case $pool in
        */*) pool=\${pool%/*} ;;
        *) pool=default ;;
        esac
        say debugfs "$pool" "\${value##*/}" "$(cat "$value")"
    done
}

# The options of the kernel's build that change how swiotlb works.
config() {
    { gzip -dc /proc/config.gz || cat "/boot/config-$(uname -r)"; } 2>/dev/null |
        awk '/^CONFIG_(SWIOTLB|SWIOTLB_DYNAMIC|DMA_RESTRICTED_POOL)=/ { print "# capture: config " $0 }'
}

before() {
    say version 1
    say tool ${tool}
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
}`;
}

/** Waits for the time that was asked for, or Ctrl-C, which ends the recording and not the script. */
export const WAIT = `echo "recording; Ctrl-C ends it" >&2
trap : INT
if [ "$seconds" -gt 0 ]; then
    sleep "$seconds" || :
else
    while sleep 86400; do :; done
fi
trap 'exit 1' INT`;
