import { RELEASES } from '../kernel/releases.js';
import { readVersion } from '../kernel/version.js';
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

/**
 * Cases from the oldest release to the newest, patched ones behind the tag that they patch, then by
 * name; names without a version come last.
 */
export function sortedCases(cases: readonly ExpectedCase[]): ExpectedCase[] {
  const keyed = cases.map((each) => ({ each, key: ageOf(each.kernel), name: caseName(each) }));
  keyed.sort((a, b) => compareAges(a.key, b.key) || (a.name < b.name ? -1 : 1));
  return keyed.map(({ each }) => each);
}

/** Major, minor and patch level, then the place in the table of releases. */
function ageOf(kernel: string): number[] {
  const row = RELEASES.findIndex(({ name }) => name === kernel);
  const version = readVersion(kernel.replace(/\+.*/, ''));
  if (version === undefined) return [Number.MAX_SAFE_INTEGER, 0, 0, row];
  return [version.major, version.minor, version.patch ?? 0, row];
}

function compareAges(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((part, n) => part !== b[n]);
  return at < 0 ? 0 : a[at] - b[at];
}
