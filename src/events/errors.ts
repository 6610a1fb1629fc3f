/**
 * Something that the user can mend: a file that cannot be read, a trace that cannot be understood,
 * an option that makes no sense. Printed as it is, without a stack; exit status 2. The message may
 * hold text from a trace, so whoever prints it makes it harmless first.
 */
export class UserError extends Error {
  override name = 'UserError';
}
