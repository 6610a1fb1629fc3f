/// <reference lib="dom" />
/*
 * What runs in the reader's browser. The text of these functions goes into the page (script.ts), so
 * that they know nothing but each other and the page.
 */

/** A map's data as the page holds it; see mapData(). */
interface MapData {
  id: string;
  low: number;
  high: number;
  base: number;
  nslabs: number;
  first: number;
  per: number;
  rows: number;
  columns: number;
  span: number;
  events: number;
  levels: number;
  names: string[];
  cells: string;
  firstLines: number[];
  lastLines: number[];
  times: string[];
}

/** A map in the page, and the cell that is looked at. */
interface MapView {
  data: MapData;
  bytes: Uint8Array;
  figure: HTMLElement;
  column: number;
  /** -1 for the whole column. */
  row: number;
  /** What was activated to come here; Escape goes back to it. */
  from: HTMLElement | undefined;
}

/** The cells of a map, unpacked. */
export async function unpackCells(cells: string): Promise<Uint8Array> {
  const packed = Uint8Array.from(atob(cells), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A colour of the style sheet as red, green and blue. */
export function colourOf(element: Element, name: string): number[] {
  const value = getComputedStyle(element).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => Number.parseInt(value.slice(at, at + 2), 16));
}

/** Draws a map's cells in the colours of the moment. */
export function drawMap({ data, bytes, figure }: MapView): void {
  const canvas = figure.querySelector('canvas') as HTMLCanvasElement;
  const ground = colourOf(figure, '--cell');
  const colours = Array.from({ length: 8 }, (_, n) => colourOf(figure, `--c${n}`));
  const small = document.createElement('canvas');
  small.width = data.columns;
  small.height = data.rows;
  const image = new ImageData(data.columns, data.rows);
  bytes.forEach((cell, n) => {
    if (cell === 0) return;
    const part = 0.3 + (0.7 * (cell & 15)) / data.levels;
    const colour = colours[(cell >> 4) - 1];
    for (let at = 0; at < 3; at++) {
      image.data[4 * n + at] = ground[at] + (colour[at] - ground[at]) * part;
    }
    image.data[4 * n + 3] = 255;
  });
  (small.getContext('2d') as CanvasRenderingContext2D).putImageData(image, 0, 0);
  const field = canvas.parentElement as HTMLElement;
  canvas.width = Math.max(1, Math.round(field.clientWidth * devicePixelRatio));
  canvas.height = Math.max(1, Math.round(field.clientHeight * devicePixelRatio));
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  context.imageSmoothingEnabled = false;
  const perSlot = canvas.height / (data.high - data.low);
  const width = (canvas.width * data.columns * data.span) / data.events;
  const top = (data.first - data.low) * perSlot;
  context.drawImage(small, 0, top, width, data.rows * data.per * perSlot);
  canvas.hidden = false;
  figure.querySelector('.plain')?.setAttribute('visibility', 'hidden');
}

/** `5`, `5-8`. */
export function rangeWords(from: number, to: number): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

/** What is to be said of the cell that is looked at. */
export function cellWords({ data, bytes, column, row }: MapView): string {
  const lines = rangeWords(data.firstLines[column], data.lastLines[column]);
  const when = [`line ${lines}`, data.times[column]].filter((part) => part !== '').join(' · ');
  if (row < 0) return when;
  const slot = data.low + row * data.per;
  const end = Math.min(slot + data.per, data.nslabs) - 1;
  const at = row - (data.first - data.low) / data.per;
  const cell = at >= 0 && at < data.rows ? bytes[at * data.columns + column] : 0;
  const level = cell & 15;
  const owner = data.names[(cell >> 4) - 1] ?? 'several or other devices';
  const full = level === data.levels ? 'all' : `about ${Math.round((100 * level) / data.levels)} %`;
  const where = `slot ${rangeWords(slot, end)} at 0x${(data.base + slot * 2048).toString(16)}`;
  return `${when} · ${where} · ${level === 0 ? 'free' : `${full} in use, by ${owner}`}`;
}

/** Moves the frame to the cell that is looked at, and says what it is. */
export function showCell(view: MapView, words: string): void {
  const { data, figure } = view;
  const frame = figure.querySelector('.focus') as HTMLElement;
  const slots = data.high - data.low;
  frame.hidden = false;
  frame.style.left = `${(100 * view.column * data.span) / data.events}%`;
  frame.style.width = `${(100 * data.span) / data.events}%`;
  frame.style.top = `${(100 * Math.max(0, view.row) * data.per) / slots}%`;
  frame.style.height = view.row < 0 ? '100%' : `${(100 * data.per) / slots}%`;
  const said = figure.querySelector('.said') as HTMLElement;
  said.textContent = words === '' ? cellWords(view) : `${words} — ${cellWords(view)}`;
}

/** Looks at a cell, or the nearest that there is; at a whole column where the row is -1. */
export function lookAt(view: MapView, column: number, row: number, words: string): void {
  const { data } = view;
  const rows = Math.ceil((data.high - data.low) / data.per);
  view.column = Math.max(0, Math.min(data.columns - 1, column));
  view.row = row === -1 ? -1 : Math.max(0, Math.min(rows - 1, row));
  showCell(view, words);
}

/** Keys on a map. */
export function onMapKey(view: MapView, event: KeyboardEvent): void {
  const step = event.shiftKey ? 10 : 1;
  const moves: Record<string, number[]> = {
    ArrowLeft: [-step, 0],
    ArrowRight: [step, 0],
    ArrowUp: [0, -step],
    ArrowDown: [0, step],
    Home: [Number.NEGATIVE_INFINITY, 0],
    End: [Number.POSITIVE_INFINITY, 0],
    PageUp: [0, Number.NEGATIVE_INFINITY],
    PageDown: [0, Number.POSITIVE_INFINITY],
  };
  if (event.key === 'Escape' && view.from !== undefined) {
    view.from.focus();
    view.from = undefined;
    return;
  }
  const move = moves[event.key];
  if (move === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  lookAt(view, view.column + move[0], Math.max(0, Math.max(0, view.row) + move[1]), '');
}

/** The mouse on a map. */
export function onMapPointer(view: MapView, event: PointerEvent): void {
  const { data, figure } = view;
  const box = (figure.querySelector('.field') as HTMLElement).getBoundingClientRect();
  const event0 = ((event.clientX - box.left) / box.width) * data.events;
  const slot = ((event.clientY - box.top) / box.height) * (data.high - data.low);
  lookAt(view, Math.floor(event0 / data.span), Math.max(0, Math.floor(slot / data.per)), '');
}

/** Goes from a finding to its place. */
export function goToPlace(view: MapView, link: HTMLElement): void {
  const { data, figure } = view;
  const slot = link.dataset.slot;
  const row = slot === undefined ? -1 : Math.floor((Number(slot) - data.low) / data.per);
  view.from = link;
  lookAt(
    view,
    Number(link.dataset.column),
    row,
    link.parentElement?.querySelector('span')?.textContent ?? '',
  );
  figure.scrollIntoView({ block: 'nearest' });
  (figure.querySelector('.cells') as HTMLElement).focus({ preventScroll: true });
}

/** Sorts a table by the column of a button in its head: numbers from the largest, names from A; once more turns that. */
export function sortTable(button: HTMLElement): void {
  const head = button.closest('th') as HTMLTableCellElement;
  const body = (head.closest('table') as HTMLTableElement).tBodies[0];
  const isNumber = head.classList.contains('number');
  const before = head.getAttribute('aria-sort');
  const isUp = before === 'none' ? !isNumber : before === 'descending';
  const key = (row: HTMLTableRowElement): string => row.cells[head.cellIndex].dataset.value ?? '';
  const rows = [...body.rows].sort((a, b) => {
    const order = isNumber ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b));
    return isUp ? order : -order;
  });
  for (const other of head.parentElement?.querySelectorAll('th[aria-sort]') ?? []) {
    other.setAttribute('aria-sort', 'none');
  }
  head.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
  body.append(...rows);
}

/** Makes a map alive. */
export async function startMap(data: MapData): Promise<void> {
  const figure = document.getElementById(data.id) as HTMLElement;
  const cells = figure.querySelector('.cells') as HTMLElement;
  const bytes = await unpackCells(data.cells);
  const view: MapView = { data, bytes, figure, column: 0, row: 0, from: undefined };
  const draw = (): void => drawMap(view);
  draw();
  new ResizeObserver(draw).observe(figure);
  for (const query of ['(prefers-color-scheme: dark)', 'print']) {
    matchMedia(query).addEventListener('change', draw);
  }
  addEventListener('beforeprint', draw);
  addEventListener('afterprint', draw);
  cells.addEventListener('keydown', (event) => onMapKey(view, event));
  cells.addEventListener('focus', () => {
    if ((figure.querySelector('.focus') as HTMLElement).hidden) lookAt(view, 0, 0, '');
  });
  cells.addEventListener('pointermove', (event) => {
    // What a finding has shown stays until the map is clicked.
    if (view.from === undefined) onMapPointer(view, event);
  });
  cells.addEventListener('pointerdown', (event) => {
    view.from = undefined;
    onMapPointer(view, event);
  });
  for (const link of document.querySelectorAll<HTMLElement>(`a[data-map="${data.id}"]`)) {
    link.addEventListener('click', (event) => {
      event.preventDefault();
      goToPlace(view, link);
    });
  }
}

/** Makes the page alive. */
export function start(): void {
  for (const button of document.querySelectorAll<HTMLElement>('th button')) {
    button.addEventListener('click', () => sortTable(button));
  }
  const text = document.getElementById('data')?.textContent ?? '[]';
  for (const data of JSON.parse(text) as MapData[]) void startMap(data);
}
