import { createHash } from 'node:crypto';
import { hex } from '../events/numbers.js';
import type { Observer, Outcome } from '../replay/outcome.js';
import type { AddressBlock, AddressEntry } from './expectation.js';

/** Requests up to which a new expectation lists every address; longer traces get digests. */
export const LISTED_ADDRESSES = 256;

/** Requests per digest: few enough that a digest that differs says where to look. */
const BLOCK = 4096;

/** What a replay answered. */
export interface ObservedAddresses {
  /** Requests. */
  count: number;
  /** The first ones, by line. */
  list: AddressEntry[];
  blocks: AddressBlock[];
}

/** Notes the answers of a replay. */
export interface AddressLog extends Observer {
  /** What was noted, once the session is finished. */
  observed(): ObservedAddresses;
}

/**
 * Notes every answer as a digest, and the first `keep` whole. To be attached behind the checks, which
 * prove the causes of failures.
 */
export function logAddresses(keep: number): AddressLog {
  const list: AddressEntry[] = [];
  const blocks: AddressBlock[] = [];
  let count = 0;
  let text = '';
  let inBlock = 0;
  let firstLine = 0;

  function endBlock(): void {
    if (inBlock === 0) return;
    const digest = createHash('sha256').update(text).digest('hex').slice(0, 32);
    blocks.push({ line: firstLine, count: inBlock, digest });
    text = '';
    inBlock = 0;
  }

  return {
    onRequest(outcome) {
      const address = answerWord(outcome);
      if (count < keep) list.push({ line: outcome.line, address });
      count++;
      if (inBlock++ === 0) firstLine = outcome.line;
      text += `${outcome.line} ${address}\n`;
      if (inBlock === BLOCK) endBlock();
    },
    observed() {
      endBlock();
      return { count, list: [...list].sort((a, b) => a.line - b.line), blocks };
    },
  };
}

function answerWord({ answer, cause }: Outcome): string {
  if (answer.refusal === undefined) return hex(answer.address);
  return answer.refusal === 'endless' ? 'hang' : `failed: ${cause ?? 'full'}`;
}
