/** Says quantities as people do: few digits, and a unit that suits. */

/** Three digits: `7`, `0.12`, `12.3`, `123`, `12345`. */
function digits(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return `${Math.round(value)}`;
  return `${Number(value.toPrecision(3))}`;
}

/** The largest of the units that a value reaches, or the smallest. */
function inUnits(value: number, units: readonly (readonly [number, string])[]): string {
  const [size, name] = units.find(([least]) => value >= least) ?? units[units.length - 1];
  return `${digits(value / size)} ${name}`;
}

const BYTES = [
  [2 ** 40, 'TiB'],
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
  [1, 'B'],
] as const;

const SECONDS = [
  [86400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'us'],
  [1e-9, 'ns'],
] as const;

/** `1.5 GiB`; for an exact size see sizeWords(). */
export function roughBytes(bytes: number): string {
  return inUnits(bytes, BYTES);
}

/** `1.5 ms`. */
export function roughSeconds(seconds: number): string {
  return seconds === 0 ? '0 s' : inUnits(seconds, SECONDS);
}

/** `1.5`, `12.3`, `1234`. */
export function roughNumber(value: number): string {
  return digits(value);
}

/** `12 %`, and `<1 %` for what is little but not nothing. */
export function percent(part: number): string {
  return part > 0 && part < 0.01 ? '<1 %' : `${Math.round(part * 100)} %`;
}
