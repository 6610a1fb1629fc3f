// Bundles the modules that tsc has written to build/ for the package: few files, which start fast.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defineConfig } from 'rolldown';

const LIBRARY = 'build/library/index.js';

/** What every replay needs, in one piece: calls from one piece into another cost more. */
const MODEL =
  /\/build\/(analysis|check|dma|events|formats|iommu|kernel|pipeline|replay|report|sizing|source|swiotlb)\//;

/** Modules that run in threads of their own, found by how they are started. */
function workers() {
  const modules = readdirSync('build/cli', { recursive: true }).filter((name) =>
    /\.js$/.test(name),
  );
  return modules.flatMap((name) => {
    const file = join('build/cli', name);
    const urls = readFileSync(file, 'utf8').matchAll(/new Worker\(new URL\('([^']+)', import/g);
    return [...urls].map(([, url]) => join(dirname(file), url));
  });
}

/** commander can start commands that are programs of their own; ours are not, and loading this takes time. */
const noChildProcesses = {
  name: 'no-child-processes',
  resolveId: (id, importer) =>
    id === 'node:child_process' && importer?.includes('/commander/') ? '\0nothing' : null,
  load: (id) => (id === '\0nothing' ? 'export default {};' : null),
};

/** What node's own require loads late is bundled, and stays late. */
const lateRequire = {
  name: 'late-require',
  transform(code, id) {
    const late = /const load = createRequire\(import\.meta\.url\);\s+([^;]*)\bload\(/;
    if (!code.includes('createRequire(') || id.includes('node_modules')) return null;
    if (!late.test(code)) this.error(`${id}: a require that cannot be bundled`);
    return code.replace(late, '$1require(');
  },
};

/** The program is CommonJS, which node starts faster; importers get a module with the same names. */
const library = {
  name: 'library',
  generateBundle(_, bundle) {
    const emit = (fileName, source) => this.emitFile({ type: 'asset', fileName, source });
    const { exports } = bundle['program/library.js'];
    emit('program/package.json', '{ "type": "commonjs" }\n');
    emit('library.js', `export { ${exports.join(', ')} } from './program/library.js';\n`);
    for (const file of declarations(LIBRARY.replace('.js', '.d.ts'))) {
      emit(file.replace('build', 'types'), readFileSync(file, 'utf8'));
    }
  },
};

/** A declaration file and all that it needs. */
function declarations(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(
    /(?:from |import\()['"](\.[^'"]+)\.js['"]/g,
  )) {
    declarations(join(dirname(file), `${path}.d.ts`), found);
  }
  return found;
}

/** The licences of the packages that are in the bundle. */
const notices = {
  name: 'notices',
  generateBundle(_, bundle) {
    const ids = Object.values(bundle).flatMap(({ modules }) => Object.keys(modules ?? {}));
    const folders = ids.flatMap((id) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
    const texts = [...new Set(folders)].sort().map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
      if (licence === undefined) this.error(`${name}: no licence to be found`);
      return `${name} ${version}\n\n${readFileSync(join(folder, licence), 'utf8').trim()}\n`;
    });
    const source = `swiotlb-replay contains these packages:\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
    this.emitFile({ type: 'asset', fileName: 'THIRD-PARTY-NOTICES', source });
  },
};

/** The manual page, from the definitions of the commands. */
const manual = {
  name: 'manual',
  async generateBundle() {
    const { manualPage } = await import('./build/cli/manualPage.js');
    const source = await manualPage();
    this.emitFile({ type: 'asset', fileName: 'man/swiotlb-replay.1', source });
  },
};

export default defineConfig({
  input: {
    main: 'build/cli/main.js',
    library: LIBRARY,
    ...Object.fromEntries(workers().map((file) => [/(\w+)\.js$/.exec(file)[1], file])),
  },
  platform: 'node',
  logLevel: 'warn',
  plugins: [noChildProcesses, lateRequire, library, notices, manual],
  output: {
    dir: 'dist',
    cleanDir: true,
    format: 'cjs',
    entryFileNames: 'program/[name].js',
    chunkFileNames: 'program/[name].js',
    codeSplitting: { groups: [{ name: 'model', test: MODEL }] },
    comments: { legal: true, jsdoc: false, annotation: false },
  },
});
