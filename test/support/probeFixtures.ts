import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SELECTION = fileURLToPath(new URL('../capture/fixtures', import.meta.url));

/** Definitions with which real runs were recorded: the full set where the environment names it. */
const FOLDER = process.env.SWIOTLB_REAL ? join(process.env.SWIOTLB_REAL, 'probes') : SELECTION;

/** An event definition in its parts. */
export interface Definition {
  /** `f`, `p` or `r256`. */
  kind: string;
  event: string;
  /** Function, with `%return` of an fprobe. */
  where: string;
  /** What each field is fetched from, with its type. */
  fields: Map<string, string>;
}

/** Reads a definition as dynamic_events takes it. */
export function readDefinition(text: string): Definition {
  const [head, where, ...fields] = text.trim().split(/\s+/);
  const [kind, name] = head.split(':');
  return {
    kind,
    event: name.replace('swl/', ''),
    where,
    fields: new Map(
      fields.map((field) => [
        field.slice(0, field.indexOf('=')),
        field.slice(field.indexOf('=') + 1),
      ]),
    ),
  };
}

/** The definitions of a file of fixtures, by event. */
export function definitionsOf(file: string): Map<string, Definition> {
  return new Map(linesOf(file).map((line) => [readDefinition(line).event, readDefinition(line)]));
}

/** Arguments of each function of a kernel, in their order, as its BTF names them. */
export function prototypesOf(kernel: string): Map<string, { name: string; type: string }[]> {
  return new Map(
    linesOf(`prototypes-${kernel}.txt`).flatMap((line) => {
      const [, name, args] = /(\w+)\((.*)\)/.exec(line) ?? [];
      if (name === undefined) return [];
      const list = args.split(', ').map((arg) => {
        const blank = arg.lastIndexOf(' ');
        return { name: arg.slice(blank + 1), type: arg.slice(0, blank) };
      });
      return [[name, list] as const];
    }),
  );
}

function linesOf(file: string): string[] {
  return readFileSync(join(FOLDER, file), 'utf8').split('\n').filter(Boolean);
}
