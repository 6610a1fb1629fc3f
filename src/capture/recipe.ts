import { bpftraceScript } from './bpftrace.js';
import type { CaptureFacts } from './facts.js';
import { ftraceScript } from './ftrace.js';
import { perfScript } from './perf.js';
import { traceCmdScript } from './traceCmd.js';

/** A tool that records, and the script that makes it. */
export interface CaptureTool {
  name: string;
  /** When to take it, in a line. */
  summary: string;
  script: (facts: CaptureFacts) => string;
}

/** Every tool; the first is the default. */
export const CAPTURE_TOOLS: readonly CaptureTool[] = [
  { name: 'ftrace', summary: 'needs nothing but the kernel', script: ftraceScript },
  { name: 'trace-cmd', summary: 'writes to disk while it records', script: traceCmdScript },
  { name: 'perf', summary: 'writes to disk while it records', script: perfScript },
  {
    name: 'bpftrace',
    summary: 'device masks and pools on old kernels too',
    script: bpftraceScript,
  },
];
