/** Lines that stand above a picture, at most. */
const MOST = 6;

/** A sentence in short lines, broken between words. @param letters of a line */
export function inLines(text: string, letters: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + word.length < letters) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.slice(0, MOST).join("\n");
}
