import type { CheckResult } from '../../corpus/result.js';
import { harmlessJson } from '../harmless.js';

/** A check as `swiotlb-replay/check@1`, on one line. */
export function checkJson(result: CheckResult): string {
  return `${harmlessJson(result)}\n`;
}

/** A check as one object per trace and line, and one with the sum at the end. */
export function checkJsonLines({ schema, summary, traces }: CheckResult): string {
  const objects = [...traces, { schema, summary }];
  return objects.map((each) => `${harmlessJson(each)}\n`).join('');
}
