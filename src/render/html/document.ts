import { createHash } from 'node:crypto';
import { escaped, type Markup } from './markup.js';
import { SCRIPT } from './script.js';
import { PAGE_STYLE } from './style.js';

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/**
 * What the browser may do with the page: run this script and use this style sheet, told by their hashes.
 * Nothing from outside, nothing that a trace might have slipped in.
 */
const POLICY =
  `default-src 'none'; script-src ${hashOf(SCRIPT)}; style-src ${hashOf(PAGE_STYLE)};` +
  " base-uri 'none'; form-action 'none'";

/** JSON that ends no script element. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * A page that needs nothing beside itself, in pieces.
 * @param maps what the script is told of each map
 */
export function* pageDocument(
  title: string,
  body: Iterable<Markup>,
  maps: readonly object[],
): Generator<string> {
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escaped(title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
`;
  for (const { markup } of body) yield `${markup}\n`;
  yield `<script type="application/json" id="data">${scriptJson(maps)}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}
