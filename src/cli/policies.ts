import { UserError } from '../events/errors.js';
import type { PlacedRelease } from '../pipeline/choice.js';
import { isPolicyPath, loadPolicy } from '../pipeline/policyFile.js';
import { policyRelease } from '../pipeline/policyRelease.js';
import { watchPolicy } from './policyWatch.js';

/** Options that name kernels. */
interface KernelOptions {
  kernel?: string | readonly string[];
  old?: string;
  new?: string;
}

/** The policies that the command line names, by their paths: nothing else ever loads one. */
const loaded = new Map<string, PlacedRelease>();

/** Loads the policy files that a command line names as kernels. */
export async function loadPolicies({ kernel = [], old, new: fresh }: KernelOptions): Promise<void> {
  const paths = [kernel, old ?? [], fresh ?? []].flat().filter(isPolicyPath);
  for (const path of new Set(paths)) {
    if (!loaded.has(path)) loaded.set(path, await loadWatched(path));
  }
  for (const [path, { release }] of loaded) {
    const twin = [...loaded].find(
      ([other, one]) => other !== path && one.release.name === release.name,
    );
    if (twin === undefined) continue;
    throw new UserError(`${path} and ${twin[0]} are both called ${release.name}: rename one`);
  }
}

async function loadWatched(path: string): Promise<PlacedRelease> {
  const watch = watchPolicy(path);
  try {
    return policyRelease(await loadPolicy(path), watch);
  } finally {
    watch.onReturn();
  }
}

/** What the command line means by a kernel's name: a policy, if it is the path of one. */
export function kernelNamed(name: string): string | PlacedRelease {
  const policy = loaded.get(name);
  if (policy !== undefined) return policy;
  if (isPolicyPath(name)) {
    throw new UserError(
      `${name}: a policy file counts only where --kernel, --old or --new names it`,
    );
  }
  if (/\.m?js$/.test(name)) {
    throw new UserError(`unknown kernel ${name}: a policy file is named with its path: ./${name}`);
  }
  return name;
}
