/*
 * Names and texts from a trace are somebody else's. Control characters drive terminals, format
 * characters (bidi marks, zero-width ones) reorder or hide what a reader sees; all are shown, never
 * passed on.
 */
const DANGEROUS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text for a terminal: dangerous characters become `\x1b` or `\u202e`. */
export function harmless(text: string): string {
  return text.replace(DANGEROUS, (character) => {
    const digits = (character.codePointAt(0) as number).toString(16);
    return digits.length <= 2 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`;
  });
}

/** Text of several lines, such as a message of ours, with only its line ends kept. */
export function harmlessLines(text: string): string {
  return text.split('\n').map(harmless).join('\n');
}

/** Text with halves of surrogate pairs, which no encoding can hold, replaced. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd');
}

/** JSON in which dangerous characters are written as escapes; its meaning is the same. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replace(DANGEROUS, (character) =>
    [...Array(character.length).keys()]
      .map((unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
