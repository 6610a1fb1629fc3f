/** Lays text out for a terminal. Texts are without escape sequences, and so as long as they look. */

/** Rows as columns, padded to the widest cell; numbers, which a column may hold, stand right. */
export function columns(rows: readonly (readonly (string | number)[])[], indent = '  '): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, n) => {
      widths[n] = Math.max(widths[n] ?? 0, String(cell).length);
    });
  }
  return rows.map((row) => {
    const cells = row.map((cell, n) =>
      typeof cell === 'number' ? String(cell).padStart(widths[n]) : cell.padEnd(widths[n]),
    );
    return (indent + cells.join('  ')).trimEnd();
  });
}

/** Text broken at blanks to lines of at most `width`, with `first` before the first and blanks of its length before the others. */
export function wrap(first: string, text: string, width: number): string[] {
  const room = Math.max(20, width - first.length);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  const hanging = ' '.repeat(first.length);
  return lines.map((text, n) => (n === 0 ? first : hanging) + text);
}

/** `1 map`, `2 maps`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}
