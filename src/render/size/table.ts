import type { SizeReport } from '../../report/sizeReport.js';
import type { RenderOptions } from '../table.js';
import { sweepCsv } from './csv.js';
import { sweepHeatMap } from './heatMap.js';
import { sizeJson } from './json.js';
import { sizeText } from './text.js';

/** One output of `size`. */
export interface SizeRenderer {
  /** As `--output` takes it. */
  name: string;
  /** It shows a sweep, and nothing else. */
  needsSweep: boolean;
  render(report: SizeReport, options: RenderOptions): string;
}

/** Every output of `size`. */
export const SIZE_RENDERERS: readonly SizeRenderer[] = [
  { name: 'text', needsSweep: false, render: sizeText },
  { name: 'json', needsSweep: false, render: sizeJson },
  { name: 'csv', needsSweep: true, render: sweepCsv },
  { name: 'heatmap', needsSweep: true, render: sweepHeatMap },
];
