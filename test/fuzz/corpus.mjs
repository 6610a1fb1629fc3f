import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** No seed is longer, so that a case takes milliseconds. */
const MOST_BYTES = 1 << 16;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Traces that no story shows, a line or two of each format. */
const SMALL = [
  '{"trace":1}\n{"pool":{"name":"default","base":"0x97ff0000","nslabs":7168,"areas":2}}\n' +
    '{"time":0.1,"cpu":0,"dev":"d","op":"map","orig_addr":4096,"size":512,"tlb_addr":"0x97ff0000"}\n',
  '#swiotlb-bpftrace 1\nmap,200,0,100,0x1000,512,,,1,0x0,0x800,a\nunmap,300,1,0x800,512,,1,0x0,a\n',
  ' tail-7       [001] d..1.     5.000000: map: (swiotlb_tbl_map_single+0x5/0x460) dev="d" orig_addr=0x1000 size=512 dir=1\n' +
    ' tail-7       [001] d..1.     5.000002: map_ret: (swiotlb_map+0x6f/0x260 <- swiotlb_tbl_map_single) ret=0x7c700800\n',
  '[    1.000000] nvme 0000:00:04.0: swiotlb buffer is full (sz: 65536 bytes), total 32768 (slots), used 12 (slots)\n',
];

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function read(path) {
  const bytes = readFileSync(path);
  const plain = path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  const end = plain.lastIndexOf(0x0a, MOST_BYTES);
  return plain.subarray(0, plain.length <= MOST_BYTES ? plain.length : end + 1);
}

/** The shipped traces, and where a folder of real ones, logs or vectors is named by the environment a part of those. */
export function readCorpus(environment = process.env) {
  const shared = ['SWIOTLB_REAL', 'SWIOTLB_LOGS', 'SWIOTLB_VECTORS'].flatMap((name) => {
    const folder = environment[name];
    if (folder === undefined || !existsSync(folder)) return [];
    const files = filesBelow(folder).filter((path) => /\.(txt|log|csv|json)(\.gz)?$/.test(path));
    const step = Math.ceil(files.length / 60);
    return files.filter((path, n) => n % step === 0 && statSync(path).size < 1 << 24);
  });
  const shipped = filesBelow(join(ROOT, 'traces'));
  return [
    ...SMALL.map((text) => Buffer.from(text)),
    ...[...shipped, ...shared].sort().map(read),
  ].filter((seed) => seed.length > 0);
}
