let given: readonly string[] = [];

/** The command line that `run` was given, for a command that starts itself in other processes. */
export const givenWords = (): readonly string[] => given;
export function setGivenWords(words: readonly string[]): void {
  given = [...words];
}
