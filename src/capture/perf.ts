import type { CaptureFacts } from './facts.js';
import { opening, surroundings } from './shell.js';
import { FORGET_EVENTS } from './traceCmd.js';
import { defineEvents, probeWords } from './tracefs.js';

/** A script for perf, which writes to disk while it records. */
export function perfScript(facts: CaptureFacts): string {
  return `${opening(facts, 'perf', probeWords(facts), ['perf'])}
${surroundings('perf')}
${FORGET_EVENTS}
${defineEvents(facts)}

before >"$work/before"
echo "recording; Ctrl-C ends it" >&2
# perf's own clock is each CPU's; this one is the same on all.
set -- perf record -a -k CLOCK_MONOTONIC -m "\${kib}K" -e 'swl:*' -o "$work/perf.data"
[ "$seconds" -eq 0 ] || set -- "$@" -- sleep "$seconds"
trap : INT
"$@" >"$work/record.txt" 2>&1 || :
trap 'exit 1' INT
[ -s "$work/perf.data" ] || { cat "$work/record.txt" >&2 && fail 'perf recorded nothing'; }

warn_of_missed
{
    cat "$work/before" "$work/probes"
    kernel_log
    # Nanoseconds keep what lies within a microsecond in order; what perf had to drop is told, too.
    perf script --ns --show-lost-events -i "$work/perf.data"
    profile
    pools
} | pack
`;
}
