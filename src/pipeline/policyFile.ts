import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { UserError } from '../events/errors.js';
import { shorten } from '../events/trace.js';
import type { Policy } from './policy.js';
import { thrownWords } from './policyResult.js';
import { readPolicy } from './policyShape.js';

/** Seconds that a file may take to load: one that awaits what never comes must not end in silence. */
const LOAD_SECONDS = 10;

/** Whether a kernel's name is the path of a policy file: it has a slash, and ends in .mjs or .js. */
export function isPolicyPath(name: string): boolean {
  return /[\\/]/.test(name) && /\.m?js$/.test(name);
}

/**
 * Loads a policy from a file. This runs the file: it is code like any other, and may do whatever its
 * user may do.
 * @throws UserError for a file that cannot be loaded, or is no policy
 */
export async function loadPolicy(path: string): Promise<Policy> {
  const { default: whole, ...named } = await importFile(path);
  const members = whole === undefined ? named : membersOf(whole, Object.keys(named), path);
  return { ...readPolicy(withName(members, path), path, 'exports'), file: path };
}

/** The members of a policy that a file exports as one object. */
function membersOf(
  whole: unknown,
  others: readonly string[],
  path: string,
): Record<string, unknown> {
  if (others.length > 0) {
    throw new UserError(`${path}: exports a policy as default, and ${others.join(', ')} beside it`);
  }
  if (typeof whole !== 'object' || whole === null) {
    throw new UserError(`${path}: its default export is no object with the members of a policy`);
  }
  return { ...whole };
}

/** A policy that has no name is called as its file is. */
function withName(members: Record<string, unknown>, path: string): Record<string, unknown> {
  const { name, ...others } = members;
  const base = path.split(/[\\/]/).at(-1) ?? '';
  return { name: name ?? base.replace(/\.m?js$/, ''), ...others };
}

async function importFile(path: string): Promise<Record<string, unknown>> {
  let url: string;
  try {
    url = pathToFileURL(realpathSync(path)).href;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(
      `${path}: ${code === 'ENOENT' ? 'there is no such policy file' : `cannot be read: ${code}`}`,
    );
  }
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new UserError(
          `${path}: was not loaded within ${LOAD_SECONDS} seconds: what does it await?`,
        ),
      );
    }, LOAD_SECONDS * 1000);
  });
  try {
    return await Promise.race([import(url), patience]);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const place = error instanceof SyntaxError ? syntaxPlace(path) : '';
    throw new UserError(`${path}: cannot be loaded: ${thrownWords(error, path)}${place}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Where a file's syntax is wrong, which the error of an import does not tell; empty if it is in another file. */
function syntaxPlace(path: string): string {
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' });
  const [, line, text] = /^[^\n]*:(\d+)\n([^\n]*)/.exec(stderr ?? '') ?? [];
  return line === undefined ? '' : `, line ${line}: ${shorten(text.trim())}`;
}
