/** The page's colours and layout. Text has a contrast of at least 4.5 to 1, marks of 3 to 1, on either ground. */

/**
 * Colours as variables. Devices have those of Paul Tol's bright scheme, which colour-blind readers tell
 * apart, without its red: that is for errors.
 */
const COLOURS = `
:root{color-scheme:light dark;--ground:#ffffff;--text:#1b1f24;--soft:#57606a;--rule:#d0d7de;--cell:#f3f4f6;
--head:#f6f8fa;--link:#0550ae;--focus:#0969da;--error:#b3261e;--warning:#8a5a00;--note:#0550ae;--good:#116329;
--end:#6b7785;--worst:#c8752c;
--c0:#4477aa;--c1:#ccaa33;--c2:#aa3377;--c3:#44aacc;--c4:#228833;--c5:#ee8866;--c6:#664488;--c7:#8c9299}
@media (prefers-color-scheme:dark){:root{--ground:#15181c;--text:#e3e6ea;--soft:#9aa4af;--rule:#343a42;
--cell:#1f242a;--head:#1d2127;--link:#79b8ff;--focus:#58a6ff;--error:#ff7b72;--warning:#e3b341;--note:#79b8ff;
--good:#56d364;--end:#8d99a6;--worst:#e0964f;
--c0:#6699cc;--c1:#ddbb55;--c2:#dd77aa;--c3:#66ccee;--c4:#55bb66;--c5:#ee9977;--c6:#aa88dd;--c7:#7d858e}}
@media print{:root{--ground:#ffffff;--text:#000000;--soft:#444444;--rule:#bbbbbb;--cell:#f3f4f6;--head:#f6f8fa;
--link:#000000;--error:#b3261e;--warning:#8a5a00;--note:#0550ae;--good:#116329;--end:#6b7785;--worst:#c8752c;
--c0:#4477aa;--c1:#ccaa33;--c2:#aa3377;--c3:#44aacc;--c4:#228833;--c5:#ee8866;--c6:#664488;--c7:#8c9299}}
`;

const DEVICE_FILLS = Array.from({ length: 8 }, (_, n) => `.c${n}{fill:var(--c${n})}`).join('');

/** What drawings need, in the page and as files. */
export const DRAWING_STYLE = `${COLOURS}
svg text{font:12px system-ui,sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
${DEVICE_FILLS}
.l1{fill-opacity:.4}.l2{fill-opacity:.6}.l3{fill-opacity:.8}
.grid{stroke:var(--rule)}.tick line{stroke:var(--soft)}
.used{fill:none;stroke:var(--text);stroke-width:1;vector-effect:non-scaling-stroke}
.capacity{stroke:var(--soft);stroke-dasharray:4 3}
.failed{stroke:var(--error);stroke-width:2}
.end,.served{fill:var(--end)}.worst{fill:var(--worst)}.refused,rect.error{fill:var(--error)}
rect.warning{fill:var(--warning)}rect.note{fill:var(--note)}
`;

/** The style sheet of the page. */
export const PAGE_STYLE = `${DRAWING_STYLE}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1240px;padding:16px 20px 48px;background:var(--ground);color:var(--text);
font:14px/1.45 system-ui,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1{font-size:14px;font-weight:600;margin:0;color:var(--soft)}
h2{font-size:15px;margin:28px 0 6px;padding-bottom:3px;border-bottom:1px solid var(--rule)}
h3{font-size:14px;margin:14px 0 4px;font-weight:600}
p{margin:4px 0}
code,td.code{font:12.5px ui-monospace,monospace}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px}
.verdict{font-size:20px;line-height:1.3;margin:4px 0 10px;font-weight:600}
.error{color:var(--error)}.warning{color:var(--warning)}.note{color:var(--note)}.good{color:var(--good)}
.lost ul{margin:2px 0;padding-left:20px}.lost{border-left:4px solid var(--warning);padding:2px 10px;margin:8px 0}
.soft{color:var(--soft)}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:8px 0}
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0}
table{border-collapse:collapse;margin:4px 0 10px;max-width:100%}
caption{text-align:left;color:var(--soft);padding:2px 0;white-space:nowrap}
th,td{overflow-wrap:break-word;padding:2px 14px 2px 0;text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:500;border-bottom:1px solid var(--rule);white-space:nowrap}
td.number,th.number{text-align:right;white-space:nowrap}
tbody th{border:0;white-space:normal}
tbody tr:nth-child(even){background:var(--head)}
th button{all:unset;cursor:pointer;color:var(--link)}
th button:focus-visible{outline:2px solid var(--focus)}
th[aria-sort=ascending] button::after{content:" \\2191"}th[aria-sort=descending] button::after{content:" \\2193"}
.scroll{overflow-x:auto}
figure{margin:8px 0}
figcaption{color:var(--soft);margin-bottom:4px}
.plot{display:flex}.gutter{flex:none;width:84px;display:block;overflow:visible}
.panel,.axis{flex:1;min-width:0;display:block;overflow:visible}
.cells{flex:1;min-width:0;cursor:crosshair}
.strip{display:block}
.field{position:relative;overflow:hidden;background:var(--cell)}
.field>svg{display:block}
.field canvas{position:absolute;inset:0;width:100%;height:100%}
.areas{position:absolute;inset:0;pointer-events:none}.areas line{stroke:var(--text);stroke-opacity:.55;stroke-dasharray:2 3}
.focus{position:absolute;min-width:7px;min-height:7px;border:1px solid var(--ground);outline:2px solid var(--text);
transform:translate(-1px,-1px);pointer-events:none}
.said{margin:0 0 0 84px;min-height:1.45em}
.said:empty::before{content:"Point at the map, or move in it with the arrow keys.";color:var(--soft)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 18px;padding:0;margin:4px 0 4px 84px}
.legend svg{margin-right:6px}
ul.findings{list-style:none;padding:0;margin:2px 0}
ul.findings>li{padding:1px 0 1px 12px;border-left:2px solid var(--rule)}
ul.related{list-style:none;padding-left:24px;margin:0;color:var(--soft)}
details>summary{cursor:pointer}
details.rule{margin:6px 0}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:0 28px}.sides>*{min-width:0}.sides .tick.odd{display:none}
pre{white-space:pre-wrap;font:12.5px/1.4 ui-monospace,monospace}
@media (max-width:900px){.sides{grid-template-columns:1fr}}
@media (max-width:700px){caption{white-space:normal}body{padding:10px 10px 32px}.tick.odd{display:none}.gutter{width:64px}
.said,.legend{margin-left:0}.verdict{font-size:17px}dl.facts{grid-template-columns:1fr}dl.facts dt{margin-top:4px}}
@media print{body{max-width:none;padding:0;font-size:12px}a{text-decoration:none}.said{display:none}
h2{break-after:avoid}figure,tr{break-inside:avoid}th button{color:inherit}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
