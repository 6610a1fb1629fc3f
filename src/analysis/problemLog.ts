import type { IommuFaultFact, LogFact } from '../events/logFacts.js';
import type { PoolDeclaration } from '../events/trace.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import type { LogProblem } from './diagnosis.js';
import {
  dmaDebugAdvice,
  KNOWN_PROBLEMS,
  type KnownId,
  type KnownProblem,
} from './knownProblems.js';
import { createMappingHistory } from './lastMapping.js';

/** Problems that are told apart; more are a log made to exhaust memory. */
const KEPT_PROBLEMS = 1024;

/** Facts that are no refusals. */
type OtherFact = Exclude<LogFact, { kind: 'refusal' | 'suppressed' | 'boot' | 'kernel' }>;

/** A problem's words, before it is counted. */
interface Found {
  id: string;
  device: string | undefined;
  message: string;
  /** What else tells it from others of this device; its addresses do not. */
  told?: string | undefined;
  known: KnownProblem;
  /** Where it is about an address of an IOMMU. */
  address?: bigint | undefined;
}

/** Equal problems, and the addresses that they are about. */
interface Counted {
  problem: LogProblem;
  /** Of the first. */
  address: bigint | undefined;
  lowest: bigint;
  highest: bigint;
}

/** Counts problems that are no refusals; equal ones are one. */
export interface ProblemLog {
  see(fact: OtherFact): void;
  /** Faults that were not printed. */
  suppress(count: number): void;
  /** Problems for which there was no room. */
  unlisted(): number;
  finish(pools: readonly PoolDeclaration[]): LogProblem[];
}

/** Gathers problems in the order of their first line. */
export function createProblemLog(): ProblemLog {
  const problems = new Map<string, Counted>();
  const history = createMappingHistory();
  let lastFault: LogProblem | undefined;
  let unlisted = 0;

  return {
    see(fact) {
      if (fact.kind === 'iommu-map') {
        history.see(fact);
        return;
      }
      const found = foundIn(fact);
      if (found === undefined) return;
      const { id, device, message, known, address } = found;
      const key = JSON.stringify([id, device, found.told]);
      const before = problems.get(key);
      if (before !== undefined) {
        before.problem.count++;
        if (address !== undefined && address < before.lowest) before.lowest = address;
        if (address !== undefined && address > before.highest) before.highest = address;
        if (fact.kind === 'iommu-fault') lastFault = before.problem;
        return;
      }
      if (problems.size >= KEPT_PROBLEMS) {
        unlisted++;
        return;
      }
      const mapping = address === undefined ? undefined : history.lastCovering(address);
      const problem: LogProblem = {
        id,
        line: fact.line,
        count: 1,
        suppressed: 0,
        device,
        message: mapping === undefined ? message : `${message}; ${mapping}`,
        affected: known.affected,
        fixedBy: known.fixedBy,
        advice: known.advice,
      };
      problems.set(key, { problem, address, lowest: address ?? 0n, highest: address ?? 0n });
      if (fact.kind === 'iommu-fault') lastFault = problem;
    },
    suppress(count) {
      if (lastFault !== undefined) lastFault.suppressed += count;
    },
    unlisted: () => unlisted,
    finish: (pools) =>
      [...problems.values()].map(({ problem, address, lowest, highest }) => ({
        ...problem,
        message:
          problem.message +
          poolWords(pools, address) +
          (lowest === highest ? '' : `; addresses from ${hexOf(lowest)} to ${hexOf(highest)}`),
      })),
  };
}

/** A device behind an IOMMU that asks for a physical address of a pool was given one. */
function poolWords(pools: readonly PoolDeclaration[], address: bigint | undefined): string {
  if (address === undefined) return '';
  const at = Number(address);
  const pool = pools.find(({ base, nslabs }) => base <= at && at < base + nslabs * IO_TLB_SIZE);
  if (pool === undefined) return '';
  const slot = Math.floor((at - pool.base) / IO_TLB_SIZE);
  return `; that is the physical address of slot ${slot} of pool ${pool.name}`;
}

function hexOf(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function known(id: KnownId, message: string, device?: string | undefined, address?: bigint): Found {
  return { id, device, message, known: KNOWN_PROBLEMS[id], address };
}

function foundIn(fact: OtherFact): Found | undefined {
  switch (fact.kind) {
    case 'overflow': {
      const { device, bounced, address, size, mask } = fact;
      const limit = fact.busLimit ? `, bus limit ${hexOf(fact.busLimit)}` : '';
      const what = bounced ? 'the bounce buffer' : 'the buffer';
      return known(
        bounced ? 'bounce-out-of-reach' : 'address-out-of-reach',
        `${what} at ${hexOf(address)} (${size} bytes) is beyond what the device reaches (mask ${hexOf(mask)}${limit})`,
        device,
      );
    }
    case 'pool-trouble': {
      const ids = {
        'no-memory': 'pool-setup',
        short: 'pool-short',
        'not-linear': 'restricted-not-linear',
        'unaligned-pages': 'unaligned-pages',
      } as const;
      return { ...known(ids[fact.trouble], fact.text), told: fact.text };
    }
    case 'sync':
      return known('sync-beyond-mapping', fact.text, fact.device);
    case 'bounce-inactive':
      return known('bounce-inactive', fact.text, fact.device);
    case 'dma-debug': {
      const advice = { advice: dmaDebugAdvice(fact.complaint) };
      const { device, complaint, text } = fact;
      return { id: `dma-debug-${complaint}`, device, message: text, known: advice };
    }
    case 'iommu-fault':
      return {
        ...known('iommu-fault', faultWords(fact), fact.device, fact.address),
        told: `${fact.unit} ${fact.access} ${fact.reason}`,
      };
    case 'cma': {
      const region = fact.region === undefined ? '' : ` (${fact.region})`;
      const id = fact.trouble === 'overlap' ? 'cma-overlap-check' : `cma-${fact.trouble}`;
      return { ...known(id as KnownId, fact.text + region), told: region };
    }
    case 'lockdep':
      return known(
        'dma-debug-lock',
        `lockdep: ${fact.lock} of dma-debug is part of a circular dependency`,
      );
    case 'debugfs':
      return fact.value < 2n ** 63n
        ? undefined
        : known(
            'used-counter',
            `${fact.name} reads ${fact.value}, which is ${fact.value - 2n ** 64n}`,
          );
    default:
      return undefined;
  }
}

function faultWords({ unit, access, address, reason }: IommuFaultFact): string {
  const what = access === undefined ? 'an access' : access === 'read' ? 'a read' : 'a write';
  const where = address === undefined ? '' : ` of ${hexOf(address)}`;
  return `${unit} refused ${what}${where}: ${reason}`;
}
