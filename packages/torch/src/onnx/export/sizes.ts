/** A number that is the same in both recordings, or one that follows a size of an input. */
export type Size = number | Varying;

/** What a number was in the first and in the second recording. */
export interface Varying {
  readonly first: number;
  readonly second: number;
}

/** A size of an input that differs between the recordings. */
export interface FreeSize extends Varying {
  input: string;
  axis: number;
  /** By which the graph's inputs and outputs call it. */
  name: string;
}

export const sizeOf = (first: number, second: number): Size => (first === second ? first : { first, second });

export const isPlain = (size: Size): size is number => typeof size === "number";

export const combine = (a: Size, b: Size, of: (a: number, b: number) => number): Size => {
  const [x, y] = [a, b].map((size) => (isPlain(size) ? { first: size, second: size } : size));
  return sizeOf(of(x.first, y.first), of(x.second, y.second));
};

/** coefficient · (product of symbols) + offset */
export interface Expression {
  symbols: readonly FreeSize[];
  coefficient: number;
  offset: number;
}

/**
 * How a number follows from the inputs' sizes: a multiple of one, of a product of several or of a square, or a
 * multiple of one with something added. Undefined where none fits: two recordings do not tell more.
 */
export function express({ first, second }: Varying, symbols: readonly FreeSize[]): Expression | undefined {
  for (const some of [...subsets(symbols), ...symbols.map((symbol) => [symbol, symbol])]) {
    const [one, two] = [some.reduce((p, s) => p * s.first, 1), some.reduce((p, s) => p * s.second, 1)];
    const coefficient = first / one;
    if (Number.isInteger(coefficient) && coefficient * two === second) return { symbols: some, coefficient, offset: 0 };
  }
  const sums = symbols.flatMap((symbol) => {
    const coefficient = (second - first) / (symbol.second - symbol.first);
    const offset = first - coefficient * symbol.first;
    return Number.isInteger(coefficient) && coefficient !== 0 ? [{ symbols: [symbol], coefficient, offset }] : [];
  });
  // Something is added to a size more often than to six times another.
  return sums.sort((a, b) => Math.abs(a.coefficient) - Math.abs(b.coefficient))[0];
}

/** Not empty, the smallest first. */
function subsets<T>(items: readonly T[]): T[][] {
  const all = Array.from({ length: 2 ** items.length - 1 }, (_, i) =>
    items.filter((__, k) => ((i + 1) >> k) % 2 === 1),
  );
  return all.sort((a, b) => a.length - b.length);
}
