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
  'unmatched-unmap': { level: 'error', summary: 'an address is released that was never mapped' },
  'double-unmap': { level: 'error', summary: 'an address is released twice' },
  'size-mismatch': { level: 'warning', summary: 'an unmap gives another size than the map' },
  'dir-mismatch': { level: 'warning', summary: 'an unmap gives another direction than the map' },
  leak: { level: 'note', summary: 'allocations are live when the trace ends' },
} as const satisfies Record<string, Rule>;

/** A rule's name. */
export type RuleId = keyof typeof RULES;
