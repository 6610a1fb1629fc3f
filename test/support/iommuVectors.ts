import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { DmaIommuTrace, DmaRow, IovaRow, IovaTrace } from '../../src/events/iommu.js';
import { createDmaIommuTraceReader } from '../../src/formats/dmaIommuTrace.js';
import type { TraceReader } from '../../src/formats/iommuText.js';
import { createIovaTraceReader } from '../../src/formats/iovaTrace.js';
import { createIovaTextReader } from '../../src/formats/traceText/iova.js';

const SELECTION = fileURLToPath(new URL('../vectors', import.meta.url));

/** The full sets, where the environment names them; the selection in test/vectors otherwise. */
const ROOT = process.env.SWIOTLB_VECTORS ?? SELECTION;

/** The files of a set (`iova`, `dma-iommu`). */
export function filesOf(set: string): { name: string; path: string }[] {
  const folder = join(ROOT, set);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.csv.gz'))
    .sort()
    .map((name) => ({ name: name.replace('.csv.gz', ''), path: join(folder, name) }));
}

/** The lines of a gzipped text. */
export function linesOf(path: string): string[] {
  return gunzipSync(readFileSync(path)).toString('utf8').split('\n');
}

/** A trace with all of its rows. */
export type Whole<T, R> = T & { rows: R[] };

function readWhole<T, R>(
  lines: readonly string[],
  open: (onRow: (row: R) => void) => TraceReader<T>,
): Whole<T, R> {
  const rows: R[] = [];
  const { trace, readLine } = open((row) => rows.push(row));
  lines.forEach((text, n) => {
    readLine(text, n + 1);
  });
  return { ...trace, rows };
}

/** Reads an `#iova-trace`. */
export function readIovaTrace(lines: readonly string[]): Whole<IovaTrace, IovaRow> {
  return readWhole(lines, createIovaTraceReader);
}

/** Reads trace text with probes at the IOVA allocator. */
export function readIovaText(lines: readonly string[]): Whole<IovaTrace, IovaRow> {
  return readWhole(lines, createIovaTextReader);
}

/** Reads a `#dma-iommu-trace`. */
export function readDmaIommuTrace(lines: readonly string[]): Whole<DmaIommuTrace, DmaRow> {
  return readWhole(lines, createDmaIommuTraceReader);
}
