// Control characters, and those that turn the direction of writing: a file's name may hold them.
const UNSEEN = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A name as it may be shown on a terminal: what would move the cursor, or colour the line, is escaped. */
export function printable(name: string): string {
  return name.replace(UNSEEN, escaped);
}

/** The same for a text of several lines. */
export function printableText(text: string): string {
  return text.replace(UNSEEN, (letter) => (letter === "\n" || letter === "\t" ? letter : escaped(letter)));
}

function escaped(letter: string): string {
  const code = letter.charCodeAt(0);
  if (letter === "\n") return "\\n";
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
