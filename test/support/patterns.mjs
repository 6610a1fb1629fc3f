// Prints every regular expression of the built program as JSON: those written in it, and those that its
// modules make of strings as they are loaded.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseAst } from 'rolldown/parseAst';

const BUILD = fileURLToPath(new URL('../../build', import.meta.url));

/** What does something when it is loaded. */
const STARTS = /cli\/main\.js$|[wW]orker\.js$|Watchdog\.js$/;

const found = new Map();
function keep(file, { source, flags }) {
  found.set(`/${source}/${flags}`, { source, flags, file });
}

function walk(node, visit) {
  if (node === null || typeof node !== 'object') return;
  visit(node);
  for (const child of Object.values(node)) walk(child, visit);
}

const files = readdirSync(BUILD, { recursive: true }).filter((name) => name.endsWith('.js'));
for (const file of files) {
  walk(parseAst(readFileSync(join(BUILD, file), 'utf8')), ({ regex }) => {
    if (typeof regex?.pattern === 'string') keep(file, new RegExp(regex.pattern, regex.flags));
  });
}

let loading = '';
const Original = RegExp;
globalThis.RegExp = new Proxy(Original, {
  construct(target, args, as) {
    const made = Reflect.construct(target, args, as);
    keep(loading, made);
    return made;
  },
});
for (const file of files.filter((name) => !STARTS.test(name))) {
  loading = file;
  await import(pathToFileURL(join(BUILD, file)).href);
}
globalThis.RegExp = Original;

process.stdout.write(JSON.stringify([...found.values()]));
