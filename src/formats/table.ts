import { bpftrace } from './bpftrace.js';
import { csv } from './csv.js';
import { devDbg } from './devDbg.js';
import type { TraceFormat } from './format.js';
import { jsonl } from './jsonl.js';
import { ftrace, perfScript, traceCmd } from './traceText/formats.js';

/** Every trace format, in the order in which they are tried. */
export const FORMATS: readonly TraceFormat[] = [
  csv,
  jsonl,
  bpftrace,
  devDbg,
  ftrace,
  traceCmd,
  perfScript,
];
