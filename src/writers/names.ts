import { harmless, wellFormed } from '../render/harmless.js';

/** Names that the canonical CSV can hold, and which of them are not what they were. */
export interface FieldNames {
  nameOf(device: number): string;
  /** Names that were changed, with what they became. */
  changed: Map<string, string>;
}

/**
 * Names without blanks, which end a directive's word, and without commas and quotes; no two alike.
 * @param nameOf the names as they are
 */
export function createFieldNames(nameOf: (device: number) => string): FieldNames {
  const given: string[] = [];
  const taken = new Set<string>();
  const changed = new Map<string, string>();
  return {
    changed,
    nameOf(device) {
      if (given[device] !== undefined) return given[device];
      const is = nameOf(device);
      const plain = fieldName(is);
      let name = plain;
      for (let n = 2; taken.has(name); n++) name = `${plain}_${n}`;
      if (name !== is) changed.set(is, name);
      taken.add(name);
      given[device] = name;
      return name;
    },
  };
}

/** One name as a directive and a field can hold it. */
export function fieldName(name: string): string {
  return harmless(wellFormed(name)).replace(/[\s,"]/g, '_');
}
