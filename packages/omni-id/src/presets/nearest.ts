/** Edits (insert, delete, replace, swap of neighbours counted as two) between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

/** The end of an error about an unknown name: the one that was probably meant, else all there are. */
export function nearest(name: string, known: readonly string[]): string {
  const [best] = known.map((word) => ({ word, edits: distance(name, word) })).sort((a, b) => a.edits - b.edits);
  if (best && best.edits <= Math.max(2, name.length / 3)) return `; did you mean "${best.word}"?`;
  return `; known: ${known.join(", ")}`;
}
