import { RELEASES } from '../kernel/releases.js';
import { tagsOf } from '../kernel/tags.js';
import { LISTED_ADDRESSES } from './addresses.js';
import { caseName, type ExpectedCase } from './expectation.js';
import type { Observation } from './observation.js';

/** A case as its replay showed it; what the old one leaves out, and its bounds, stay as they are. */
export function updatedCase(old: ExpectedCase, observed: Observation): ExpectedCase {
  const fresh: ExpectedCase = { kernel: old.kernel };
  if (old.options) fresh.options = old.options;
  if (observed.losses.length > 0) fresh.incomplete = true;
  if (old.bounds) fresh.bounds = old.bounds;
  if (old.findings) {
    fresh.findings = observed.findings.map(({ device, message, ...entry }) => entry);
  }
  if (old.addresses || old.addressBlocks) {
    const { count, list, blocks } = observed.addresses;
    if (count <= LISTED_ADDRESSES) fresh.addresses = list;
    else fresh.addressBlocks = blocks;
  }
  return fresh;
}

/** A case of which nothing is known yet, to be filled by updatedCase(). */
export function newCase(kernel: string): ExpectedCase {
  return { kernel, findings: [], addresses: [] };
}

/** Cases from the oldest release to the newest, then by name. */
export function sortedCases(cases: readonly ExpectedCase[]): ExpectedCase[] {
  const age = ({ kernel }: ExpectedCase): number => {
    const at = RELEASES.findIndex(({ name }) => name === kernel);
    if (at >= 0) return at;
    const row = RELEASES.findIndex((release) => tagsOf(release).includes(kernel));
    return row < 0 ? RELEASES.length : row + 0.5;
  };
  const byName = (a: ExpectedCase, b: ExpectedCase): number => (caseName(a) < caseName(b) ? -1 : 1);
  return [...cases].sort((a, b) => age(a) - age(b) || byName(a, b));
}
