import { UserError } from '../events/errors.js';
import { hex } from '../events/numbers.js';
import { slotsOf } from '../kernel/constants.js';
import { emptyRequest, type MapRequest } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import { findRelease } from '../kernel/select.js';
import { type PlacedRelease, requirePlacement } from './choice.js';
import {
  type Policy,
  type PolicyFunction,
  type PolicyPlan,
  type PolicyRequest,
  type PolicySize,
  type PolicyWatch,
  policyTitle,
} from './policy.js';
import { asMask, asStride, readNumbers, refusePromise, thrownWords } from './policyResult.js';

/**
 * The release that a policy makes of its base.
 * @throws UserError where the base is no release, or the name is one; its policies throw one for what
 *   a function of the policy throws, and for results that no search could work with
 */
export function policyRelease(policy: Policy, watch?: PolicyWatch): PlacedRelease {
  const title = policyTitle(policy);
  const base = baseOf(policy, title);
  const name = `${base.name}+${policy.name}`;
  if (findRelease(name) !== undefined) {
    throw new UserError(`${title}: ${name} is a release; give the policy another name`);
  }
  const release: Release = {
    ...base,
    name,
    kind: 'patched',
    summary: policy.summary ?? 'an experimental policy',
    commits: [],
    policyOf: title,
  };
  const ask = createAsking(policy, title, watch);
  if (policy.size !== undefined) release.size = sizePolicy(base, ask);
  if (policy.plan !== undefined) release.masks = maskPolicy(base, ask);
  if (policy.coherentAlignMask !== undefined) {
    release.coherentAlignMask = coherentPolicy(base, ask, title);
  }
  if (policy.refusesUnalignedPages !== undefined) {
    release.refusesUnalignedPages = policy.refusesUnalignedPages;
  }
  const which = policy.file === undefined ? 'an experimental policy' : `the policy of ${title}`;
  return { release, reason: `${which} on top of ${base.name}` };
}

function baseOf({ base }: Policy, title: string): Release {
  try {
    return requirePlacement(base).release;
  } catch (error) {
    throw new UserError(`${title}: base: ${(error as Error).message}`);
  }
}

/** Calls a function of the policy and reads its result; complains for the file, function and request. */
type Asking = <T>(
  name: PolicyFunction,
  request: MapRequest,
  args: readonly unknown[],
  read: (result: unknown) => T,
) => T;

function createAsking(policy: Policy, title: string, watch: PolicyWatch | undefined): Asking {
  return (name, request, args, read) => {
    const fail = (what: string, cause?: unknown): UserError =>
      new UserError(`${title}: ${name}() ${what}${requestWords(request)}`, { cause });
    let result: unknown;
    watch?.onCall(policy, name, request.line ?? 0);
    try {
      result = (policy[name] as (...args: unknown[]) => unknown)(...args);
    } catch (error) {
      throw fail(`threw ${thrownWords(error, policy.file)}`, error);
    } finally {
      watch?.onReturn();
    }
    try {
      refusePromise(result);
      return read(result);
    } catch (error) {
      if (error instanceof RangeError) throw fail(error.message);
      throw fail(`gave a result that cannot be read: ${thrownWords(error, policy.file)}`, error);
    }
  };
}

function requestWords(request: MapRequest): string {
  const { line = 0, origAddr, mappingSize, allocAlignMask, minAlignMask } = request;
  const place = line === 0 ? '' : ` of line ${line}`;
  const origin = Number.isNaN(origAddr) ? 'unknown' : hex(origAddr);
  return (
    `, for the request${place} (orig_addr ${origin}, ${mappingSize} bytes,` +
    ` alloc_align_mask ${hex(allocAlignMask)}, min_align_mask ${hex(minAlignMask)})`
  );
}

function requestFor(request: MapRequest, pageSize: number): PolicyRequest {
  const { origAddr, mappingSize, allocSize, allocAlignMask, minAlignMask } = request;
  return { origAddr, mappingSize, allocSize, allocAlignMask, minAlignMask, pageSize };
}

/** Numbers of the base, which are the kernel's own and need no check where a policy gives them back. */
function isBase<T extends object>(result: T, base: T): boolean {
  return Object.keys(base).every((key) => Object.is(result[key as keyof T], base[key as keyof T]));
}

function sizePolicy(base: Release, ask: Asking): Release['size'] {
  return (request, plan, pageSize) => {
    base.size(request, plan, pageSize);
    const own: PolicySize = { offset: plan.offset, totalSize: plan.totalSize };
    const { offset, totalSize } = ask(
      'size',
      request,
      [requestFor(request, pageSize), { ...own }],
      (result) => {
        const size = readNumbers(result, own);
        if (!isBase(size, own)) checkSize(size);
        return size;
      },
    );
    plan.offset = offset;
    plan.totalSize = totalSize;
    plan.nslots = slotsOf(totalSize);
  };
}

function checkSize({ offset, totalSize }: PolicySize): void {
  if (!Number.isSafeInteger(totalSize) || totalSize < 1) {
    throw new RangeError(`gave totalSize ${totalSize}, not a whole number of bytes from 1 up`);
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= totalSize) {
    throw new RangeError(
      `gave offset ${offset}, not a whole number of bytes below totalSize ${totalSize}`,
    );
  }
}

function maskPolicy(base: Release, ask: Asking): Release['masks'] {
  return (request, pageSize, plan) => {
    base.masks(request, pageSize, plan);
    const own: PolicyPlan = {
      stride: plan.stride,
      clearMask: plan.clearMask >>> 0,
      matchMask: plan.matchMask >>> 0,
      endsAtStart: plan.endsAtStart,
    };
    const { offset, totalSize, nslots } = plan;
    const sized = { ...requestFor(request, pageSize), offset, totalSize, nslots };
    const result = ask('plan', request, [sized, { ...own }], (given) => {
      const read = readNumbers(given, own);
      return {
        stride: asStride(read.stride),
        clearMask: asMask('clearMask', read.clearMask),
        matchMask: asMask('matchMask', read.matchMask),
        endsAtStart: read.endsAtStart,
      };
    });
    plan.stride = result.stride;
    plan.clearMask = result.clearMask;
    plan.matchMask = result.matchMask;
    plan.matchBits = (request.origAddr | 0) & result.matchMask;
    plan.endsAtStart = result.endsAtStart;
  };
}

function coherentPolicy(
  base: Release,
  ask: Asking,
  title: string,
): NonNullable<Release['coherentAlignMask']> {
  const own = base.coherentAlignMask;
  if (own === undefined) {
    throw new UserError(
      `${title}: coherentAlignMask is of no use: ${base.name} has no swiotlb_alloc()`,
    );
  }
  const request = emptyRequest();
  return (size, pageSize, line = 0) => {
    request.mappingSize = size;
    request.line = line;
    return ask(
      'coherentAlignMask',
      request,
      [size, pageSize, own(size, pageSize)],
      (result) => asMask('a mask of', result) >>> 0,
    );
  };
}
