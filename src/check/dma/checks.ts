import type { DmaObserver, DmaSession } from '../../replay/dmaIommu/session.js';
import type { Finding } from '../finding.js';

/** A family of rules for mappings behind an IOMMU: watches a session and tells what it finds. */
export type DmaCheck = (session: DmaSession, tell: (finding: Finding) => void) => DmaObserver;

/** Every family, in the order in which findings of one row are told. */
export const DMA_CHECKS: readonly DmaCheck[] = [];
