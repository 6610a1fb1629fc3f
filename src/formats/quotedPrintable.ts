/*
 * Mails with bytes above 127 or long lines are often kept as quoted-printable (RFC 2045, 6.7). A log
 * holds "size=20" and "attrs=" of its own, so a line is believed to be quoted-printable only where
 * all its equals signs say so: a plain one is written "=3D" there.
 */

const ESCAPES = /(?:=[0-9A-F]{2})+/g;
const NO_ESCAPE = /=(?![0-9A-F]{2})/;
const HIGH_BYTES = /^(?:=[89A-F][0-9A-F])+$/;
const BLANK_AT_END = /[^\w=](?:=20|=09)$/;
const EQUALS_SIGN = '=3D';

/** Encoders break lines of more than 76 characters; a reply or a browser puts a few in front. */
const SHORTEST_BROKEN_LINE = 60;
const LONGEST_BROKEN_LINE = 100;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Whether a line ends in the soft line break of quoted-printable: the next line belongs to it. */
export function endsInSoftBreak(line: string): boolean {
  return (
    line.endsWith('=') &&
    line.length >= SHORTEST_BROKEN_LINE &&
    line.length <= LONGEST_BROKEN_LINE &&
    decodeQuotedPrintable(line.slice(0, -1)) !== undefined
  );
}

/**
 * The text of a line whose soft breaks are gone.
 * @returns undefined if some equals sign in it is not of quoted-printable
 */
export function decodeQuotedPrintable(line: string): string | undefined {
  if (!line.includes('=')) return line;
  if (NO_ESCAPE.test(line)) return undefined;
  const certain = line.includes(EQUALS_SIGN);
  const text = !certain && BLANK_AT_END.test(line) ? line.slice(0, -3) : line;
  let believed = true;
  const decoded = text.replace(ESCAPES, (escapes) => {
    const bytes = Buffer.from(escapes.replaceAll('=', ''), 'hex');
    if (certain) return textOf(bytes) ?? bytes.toString('latin1');
    const characters = HIGH_BYTES.test(escapes) ? textOf(bytes) : undefined;
    believed &&= characters !== undefined;
    return characters ?? '';
  });
  return believed ? decoded : undefined;
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
