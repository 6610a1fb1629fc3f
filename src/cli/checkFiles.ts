import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { EXPECT_SUFFIX, type Expectation } from '../corpus/expectation.js';
import { parseExpectation } from '../corpus/reading.js';
import { UserError } from '../events/errors.js';
import { recogniseIommu } from '../formats/iommuRead.js';
import { FORMATS } from '../formats/table.js';
import { openSource } from '../source/open.js';

/** A file that is checked, or that could be. */
export interface CorpusFile {
  /** As the file system knows it. */
  path: string;
  /** As results name it: relative to the repository, or to the working directory outside of one. */
  name: string;
  /** Its expectation file is there. */
  isExpected: boolean;
  /** The user named it, or its expectation file. */
  isNamed: boolean;
  /** Only its expectation file is there. */
  isMissing: boolean;
}

/** Folders that hold no corpus. */
const PASSED_OVER = new Set(['.git', 'node_modules']);

/** Bytes of an expectation file; what is longer was not written by `check --update`. */
const MOST_EXPECTED = 64 << 20;

/** Blocks in which a file that nobody named must show that it is a trace. */
const LOOK_BLOCKS = 8;

/**
 * Every file at or below the paths that has an expectation file or may be a trace, once, by name.
 * @throws UserError for a path that does not exist
 */
export function corpusFiles(paths: readonly string[]): CorpusFile[] {
  const root = repositoryRoot(process.cwd());
  const files = new Map<string, CorpusFile>();
  const add = (path: string, isNamed: boolean): void => {
    const trace = path.endsWith(EXPECT_SUFFIX) ? path.slice(0, -EXPECT_SUFFIX.length) : path;
    const known = files.get(trace);
    files.set(trace, {
      path: trace,
      name: relative(root, trace).split(sep).join('/'),
      isExpected: existsSync(trace + EXPECT_SUFFIX),
      isNamed: isNamed || (known?.isNamed ?? false),
      isMissing: !existsSync(trace),
    });
  };
  for (const path of paths) {
    if (path === '-') throw new UserError('check reads files, not standard input');
    if (!existsSync(path)) throw new UserError(`${path}: is neither a file nor a folder`);
    const real = join(realpathSync(dirname(resolve(path))), resolve(path).split(sep).pop() ?? '');
    if (statSync(path).isDirectory()) walk(realpathSync(path), (file) => add(file, false));
    else add(real, true);
  }
  return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Files below a folder. Links to folders are not followed: they may lead in circles. */
function walk(folder: string, found: (path: string) => void): void {
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const kind = lstatSync(path, { throwIfNoEntry: false });
    if (kind === undefined) continue;
    if (kind.isDirectory()) {
      if (!PASSED_OVER.has(name)) walk(path, found);
    } else if (kind.isFile() || (existsSync(path) && statSync(path).isFile())) {
      found(path);
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw new UserError(`${folder}: cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** The nearest folder upwards with a `.git`, else the folder itself. */
function repositoryRoot(folder: string): string {
  const here = realpathSync(folder);
  for (let at = here; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return here;
  }
}

/** Whether a file looks like a trace. */
export async function isTrace(path: string): Promise<boolean> {
  try {
    const source = await openSource(path);
    try {
      if (recogniseIommu(source.head) !== undefined) return true;
      let looked = 0;
      for await (const { bytes, end } of source.blocks) {
        const lines = bytes.subarray(0, end);
        if (FORMATS.some((format) => format.recognises(lines))) return true;
        if (++looked === LOOK_BLOCKS) return false;
      }
      return false;
    } finally {
      source.close();
    }
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/**
 * The expectations of a file.
 * @throws UserError for what cannot be read or understood
 */
export function readExpectation({ path, name }: CorpusFile): Expectation {
  let text: string;
  try {
    const stat = statSync(path + EXPECT_SUFFIX);
    if (!stat.isFile() || stat.size > MOST_EXPECTED) {
      const what = stat.isFile() ? `is longer than ${MOST_EXPECTED >> 20} MiB` : 'is no file';
      throw new UserError(`${name}${EXPECT_SUFFIX}: ${what}`);
    }
    text = readFileSync(path + EXPECT_SUFFIX, 'utf8');
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`${name}${EXPECT_SUFFIX}: cannot be read: ${code}`);
  }
  return parseExpectation(name + EXPECT_SUFFIX, text);
}
