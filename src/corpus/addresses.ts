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

/** Answers as they come. */
export interface AnswerList {
  /** @param address as an AddressEntry has it */
  add(line: number, address: string): void;
  /** What was noted, once the session is finished. */
  observed(): ObservedAddresses;
}

/** The first digits of a digest. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Notes every answer as a digest, and the first `keep` whole. */
export function createAnswerList(keep: number): AnswerList {
  const list: AddressEntry[] = [];
  const blocks: AddressBlock[] = [];
  let count = 0;
  let text = '';
  let inBlock = 0;
  let firstLine = 0;

  function endBlock(): void {
    if (inBlock === 0) return;
    blocks.push({ line: firstLine, count: inBlock, digest: digestOf(text) });
    text = '';
    inBlock = 0;
  }

  return {
    add(line, address) {
      if (count < keep) list.push({ line, address });
      count++;
      if (inBlock++ === 0) firstLine = line;
      text += `${line} ${address}\n`;
      if (inBlock === BLOCK) endBlock();
    },
    observed() {
      endBlock();
      return { count, list: [...list].sort((a, b) => a.line - b.line), blocks };
    },
  };
}

/** Notes the answers of a replay. */
export interface AddressLog extends Observer, Pick<AnswerList, 'observed'> {}

/**
 * Notes the answers of a replay of the slot allocator. To be attached behind the checks, which prove the
 * causes of failures.
 */
export function logAddresses(keep: number): AddressLog {
  const answers = createAnswerList(keep);
  return {
    onRequest: (outcome) => answers.add(outcome.line, answerWord(outcome)),
    observed: answers.observed,
  };
}

function answerWord({ answer, cause }: Outcome): string {
  if (answer.refusal === undefined) return hex(answer.address);
  return answer.refusal === 'endless' ? 'hang' : `failed: ${cause ?? 'full'}`;
}
