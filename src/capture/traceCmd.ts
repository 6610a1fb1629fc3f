import type { CaptureFacts } from './facts.js';
import { opening, surroundings } from './shell.js';
import { defineEvents, probeWords } from './tracefs.js';

/** Shell code that cleans up for tools that have a buffer of their own. */
export const FORGET_EVENTS = `
cleanup() {
    trap '' HUP INT TERM
    [ -z "\${defined:-}" ] || forget
    rm -rf "$work" "$file.part"
}`;

/** A script for trace-cmd, which writes to disk while it records: for longer than a buffer holds. */
export function traceCmdScript(facts: CaptureFacts): string {
  return `${opening(facts, 'trace-cmd', probeWords(facts), ['trace-cmd'])}
${surroundings('trace-cmd')}
${FORGET_EVENTS}
${defineEvents(facts)}

before >"$work/before"
echo "recording; Ctrl-C ends it" >&2
# With the clock \`global\` time never goes back from one CPU to the next.
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
`;
}
