import type { DmaObserver, DmaSession } from '../../replay/dmaIommu/session.js';
import type { Finding } from '../finding.js';
import { createCallerCheck } from './callers.js';
import { createCopyCheck } from './copies.js';
import { createExposureCheck } from './exposure.js';
import { createFailureCheck } from './failures.js';
import { createStaleMappingCheck } from './staleMapping.js';
import { createTrustedCheck } from './trusted.js';

/** A family of rules about dma-iommu: watches a session, and tells what it finds. */
export type DmaCheck = (session: DmaSession, tell: (finding: Finding) => void) => DmaObserver;

/** Every family, in the order in which findings of one row are told. */
export const DMA_CHECKS: readonly DmaCheck[] = [
  createFailureCheck,
  createCallerCheck,
  createStaleMappingCheck,
  createExposureCheck,
  createTrustedCheck,
  createCopyCheck,
];
