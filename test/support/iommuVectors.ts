import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const SELECTION = fileURLToPath(new URL('../vectors', import.meta.url));

/** The full sets, where the environment names them; the selection in test/vectors otherwise. */
const ROOT = process.env.SWIOTLB_VECTORS ?? SELECTION;

/** The files of a set (`iova`, `dma-iommu`). */
export function filesOf(set: string): { name: string; path: string }[] {
  const folder = join(ROOT, set);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.csv.gz'))
    .sort()
    .map((name) => ({ name: name.replace('.csv.gz', ''), path: join(folder, name) }));
}

/** The lines of a gzipped text. */
export function linesOf(path: string): string[] {
  return gunzipSync(readFileSync(path)).toString('utf8').split('\n');
}
