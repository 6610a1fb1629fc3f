import type { CaptureFacts } from './facts.js';
import { opening, surroundings, WAIT } from './shell.js';
import { defineEvents, probeWords } from './tracefs.js';

/** A script that needs nothing but the kernel: probe events, and the ring buffer of an instance. */
export function ftraceScript(facts: CaptureFacts): string {
  return `${opening(facts, 'ftrace', probeWords(facts), [])}
${surroundings('ftrace')}

cleanup() {
    trap '' HUP INT TERM
    if [ -d "\${instance:-}" ]; then
        echo 0 >"$instance/events/swl/enable" || :
        rmdir "$instance" || :
    fi 2>/dev/null
    [ -z "\${defined:-}" ] || forget
    rm -rf "$work" "$file.part"
}
${defineEvents(facts)}

# A buffer of our own: nobody else's events come in, and nobody else's settings change.
mkdir "$tracing/instances/swiotlb-replay" ||
    fail "another recording is at work, or left its buffer: rmdir $tracing/instances/swiotlb-replay"
instance=$tracing/instances/swiotlb-replay
echo 0 >"$instance/tracing_on"
# Each CPU has a buffer; the text is put in order by time. With this clock time never goes back from
# one CPU to the next, as it can with \`local\`; and dmesg has the same time.
echo global >"$instance/trace_clock"
echo "$kib" >"$instance/buffer_size_kb"
for option in irq-info record-tgid; do
    echo 1 >"$instance/options/$option" || :
done
echo 1 >"$instance/events/swl/enable"

before >"$work/before"
echo 1 >"$instance/tracing_on"
${WAIT}
echo 0 >"$instance/tracing_on"

warn_of_missed
overrun=$(cat "$instance"/per_cpu/cpu*/stats | awk '$1 == "overrun:" { n += $2 } END { print n + 0 }')
[ "$overrun" -eq 0 ] ||
    echo "note: $overrun events were overwritten: give more KIB or fewer SECONDS" >&2
{
    cat "$work/before" "$work/probes"
    kernel_log
    cat "$instance/trace"
    profile
    pools
} | pack
`;
}
