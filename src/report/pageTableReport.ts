import type { IommuFacts } from '../analysis/iommuFacts.js';
import type { Assumption, Loss, Problem } from '../events/trace.js';
import type { TraceSummary } from './report.js';

/** Schema of the report of a trace that holds page tables alone; it changes when a field changes. */
export const PAGE_TABLE_SCHEMA = 'swiotlb-replay/iommu@1';

/** What is to be said of a trace that holds records of an IOMMU's page tables, and no bounce buffers. */
export interface PageTableReport {
  trace: TraceSummary;
  iommu: IommuFacts;
  assumptions: Assumption[];
  losses: Loss[];
  /** The first lines that could not be used. */
  problems: Problem[];
}
