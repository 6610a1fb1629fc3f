import type { SizeReport } from '../../report/sizeReport.js';
import { csvRow } from '../csv.js';

const HEADS = [
  'pool',
  'kernel',
  'asked_nslabs',
  'asked_areas',
  'nslabs',
  'areas',
  'bytes',
  'requests',
  'failed',
  'never_served',
  'first_path',
  'first_line',
  'first_device',
  'first_cause',
  'peak_slots',
  'percentile_99_9',
];

/** A sweep as a table for spreadsheets, one row per pool. */
export function sweepCsv({ sweep = [] }: SizeReport): string {
  const rows = sweep.map((point) =>
    csvRow([
      point.pool.name,
      point.kernel,
      point.asked.nslabs,
      point.asked.areas,
      point.nslabs,
      point.areas,
      point.bytes,
      point.requests,
      point.failed,
      point.never,
      point.first?.path ?? '',
      point.first?.line ?? '',
      point.first?.device ?? '',
      point.first?.cause ?? '',
      point.peakSlots,
      point.percentile999,
    ]),
  );
  return [csvRow(HEADS), ...rows].join('');
}
