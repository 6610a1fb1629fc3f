import type { Level } from './finding.js';

/** What a rule finds. */
export interface Rule {
  level: Level;
  summary: string;
}

/** The table of rules; the ids are part of the contract. */
export const RULES = {
  'double-allocated-page': {
    level: 'error',
    summary: 'a page lies in the extents of two live allocations',
  },
  'double-allocated-slot': { level: 'error', summary: 'a slot is owned twice' },
  'page-alignment': {
    level: 'error',
    summary: 'an allocation of whole pages, or of a page or more, does not start on a page',
  },
  'alloc-alignment': { level: 'error', summary: 'the result does not honour alloc_align_mask' },
  'min-align-mask': {
    level: 'error',
    summary: "the result's low bits differ from orig_addr's under the device's min_align_mask",
  },
  'natural-alignment': {
    level: 'warning',
    summary: 'a coherent allocation is not aligned to the page order of its size',
  },
  'pool-full': { level: 'error', summary: 'no slots were found' },
  'endless-search': {
    level: 'error',
    summary: "the release's search would never end; the replay goes on as if the call was not made",
  },
  'beyond-pool': { level: 'error', summary: 'the result runs past the end of its pool' },
  'area-overrun': { level: 'error', summary: 'the result runs into another area' },
  'wrong-free': {
    level: 'error',
    summary: "a release gives back slots that are not the buffer's, or none",
  },
  'unmatched-unmap': {
    level: 'error',
    summary: 'an address is released or synced that is not mapped',
  },
  'double-unmap': { level: 'error', summary: 'an address is released twice' },
  'size-mismatch': {
    level: 'warning',
    summary: 'an unmap or sync gives another size than the map',
  },
  'dir-mismatch': {
    level: 'warning',
    summary: 'an unmap or sync gives another direction than the map',
  },
  leak: { level: 'note', summary: 'allocations are live when the trace ends' },
  'padding-leak': {
    level: 'error',
    summary: 'a device can read bytes that are neither its buffer nor zero',
  },
  'stale-mapping': { level: 'error', summary: 'the IOMMU still maps what was unmapped' },
  'iova-collision': {
    level: 'error',
    summary: 'a new mapping hits device addresses that are still mapped',
  },
  'granule-exposure': {
    level: 'warning',
    summary: 'memory outside the bounce buffer is reachable; a note for trusted devices',
  },
  'lost-sync': { level: 'error', summary: 'a sync of a bounced mapping copied nothing' },
  'double-copy': { level: 'warning', summary: 'the same bytes were copied twice' },
  'map-failed': {
    level: 'error',
    summary: 'nothing was mapped behind an IOMMU, for another reason than a full pool',
  },
} as const satisfies Record<string, Rule>;

/** A rule's name. */
export type RuleId = keyof typeof RULES;
