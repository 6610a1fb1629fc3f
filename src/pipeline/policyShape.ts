import { UserError } from '../events/errors.js';
import { shorten } from '../events/trace.js';
import type { Policy } from './policy.js';

/** Whether a member of a policy is as it should be, and what it should be, in words. */
interface Member {
  is: (value: unknown) => boolean;
  words: string;
}

const aFunction: Member = { is: (value) => typeof value === 'function', words: 'a function' };
const text: Member = {
  is: (value) => typeof value === 'string' && value.length > 0 && value.length <= 200,
  words: 'a text',
};

/** Reports, file names of theirs and case names of a check hold the name as it is. */
const NAME = /^[A-Za-z0-9][\w.-]{0,39}$/;

/** What a policy may have, and nothing else: a name that is misspelt would change nothing silently. */
const MEMBERS: Readonly<Record<Exclude<keyof Policy, 'file'>, Member>> = {
  name: {
    is: (value) => typeof value === 'string' && NAME.test(value),
    words: 'a name of up to 40 letters, digits, dots, dashes and underlines',
  },
  base: { ...text, words: "a release's name, such as 'v6.8'" },
  summary: text,
  size: aFunction,
  plan: aFunction,
  coherentAlignMask: aFunction,
  refusesUnalignedPages: { is: (value) => typeof value === 'boolean', words: 'true or false' },
};

/** Of those, what makes it differ from its base. */
const CHANGES = ['size', 'plan', 'coherentAlignMask', 'refusesUnalignedPages'] as const;

/**
 * A policy from what somebody says is one.
 * @param title for messages
 * @param verb what it does with its members: `has`, `exports`
 * @throws UserError for what is missing, unknown or of the wrong kind
 */
export function readPolicy(
  given: Readonly<Record<string, unknown>>,
  title: string,
  verb: 'has' | 'exports',
): Policy {
  const wrong = (problem: string): UserError => new UserError(`${title}: ${problem}`);
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(MEMBERS, key)) {
      throw wrong(
        `${verb} ${shorten(key, 40)}, which no policy has; it may have ${Object.keys(MEMBERS).join(', ')}`,
      );
    }
    const { is, words } = MEMBERS[key as keyof typeof MEMBERS];
    if (value !== undefined && !is(value)) {
      throw wrong(`${key} is ${valueWords(value)}, not ${words}`);
    }
  }
  for (const key of ['base', 'name'] as const) {
    if (given[key] === undefined) throw wrong(`${verb} no ${key}: it is ${MEMBERS[key].words}`);
  }
  if (CHANGES.every((key) => given[key] === undefined)) {
    throw wrong(`${verb} nothing that differs from its base: one of ${CHANGES.join(', ')}`);
  }
  return { ...given } as unknown as Policy;
}

/** A value in a few words, whatever it is. */
export function valueWords(value: unknown): string {
  if (typeof value === 'string') return `the text "${shorten(value, 40)}"`;
  if (typeof value === 'bigint') return `the bigint ${value}n`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
