import type { PageTableReport } from '../report/pageTableReport.js';
import type { Report } from '../report/report.js';
import { renderHtml, renderIommuHtml } from './html/page.js';
import { renderIommuJson, renderIommuText } from './iommu.js';
import { renderJson } from './json.js';
import { renderText } from './text.js';

/** What renderers are told about the reader. */
export interface RenderOptions {
  /** Columns of the terminal. */
  width: number;
  /** 0 for none, else the colours that the terminal has (chalk's levels). */
  colour: 0 | 1 | 2 | 3;
  /** Whether the reader sees block characters: on a terminal that is wide enough and has them. */
  blocks: boolean;
  /** List the allocations. */
  allocations: boolean;
}

/** One output of a report. */
export interface Renderer {
  /** As `--output` takes it. */
  name: string;
  /** Rows of allocations that it can use; undefined for all. */
  keepRows: { first: number; last: number } | undefined;
  /** It draws, and needs `Report.pictures`. */
  draws: boolean;
  render(report: Report, options: RenderOptions): Iterable<string>;
  /** For a trace that holds an IOMMU's page tables and no bounce buffers. */
  renderIommu(report: PageTableReport, options: RenderOptions): Iterable<string>;
}

/** Every output. */
export const RENDERERS: readonly Renderer[] = [
  {
    name: 'text',
    keepRows: { first: 12, last: 4 },
    draws: false,
    render: renderText,
    renderIommu: renderIommuText,
  },
  {
    name: 'json',
    keepRows: undefined,
    draws: false,
    render: renderJson,
    renderIommu: renderIommuJson,
  },
  {
    name: 'html',
    keepRows: { first: 100, last: 20 },
    draws: true,
    render: renderHtml,
    renderIommu: renderIommuHtml,
  },
];
