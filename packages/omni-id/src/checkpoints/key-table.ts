import { cat, scope, type Tensor } from "@omni-id/torch";

/** How one layer of ours stands in another project's checkpoint. */
export interface KeyRule {
  /** Our key or its beginning; `*` is a number. What follows, such as `.weight`, is the same on both sides. */
  ours: string;
  /** Theirs, with as many `*`; a list where one tensor of ours is several of theirs, one below the other. */
  theirs: string | readonly string[];
  /** Rows of each part of such a list. */
  rows?: readonly number[];
  /** Their two halves are in the other order. */
  halvesSwapped?: boolean;
  /** Their linear layer is our 1×1 convolution. */
  pointwise?: boolean;
  /** Their numbers, where these count in another order. */
  numbers?: (numbers: readonly number[]) => readonly number[];
}

/** Where a tensor of ours is found in their checkpoint. */
export interface Place {
  keys: readonly string[];
  toOurs(parts: readonly Tensor[]): Tensor;
  toTheirs(tensor: Tensor): Tensor[];
}

/** Names of one model in another project's checkpoints, both ways. */
export class KeyTable {
  readonly #rules: readonly { pattern: RegExp; rule: KeyRule }[];

  constructor(rules: readonly KeyRule[]) {
    this.#rules = rules.map((rule) => ({ pattern: patternOf(rule.ours), rule }));
  }

  /** @throws when the table does not know the key: tables are tested on every key of their model */
  place(key: string): Place {
    for (const { pattern, rule } of this.#rules) {
      const match = pattern.exec(key);
      if (match) return placeOf(rule, match.slice(1, -1).map(Number), match[match.length - 1]);
    }
    throw new Error(`no rule for the key "${key}"`);
  }

  /** A state dict of ours under their names. */
  toTheirs(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    return new Map(
      [...state].flatMap(([key, tensor]) => {
        const { keys, toTheirs } = this.place(key);
        return toTheirs(tensor).map((part, i) => [keys[i], part] as const);
      }),
    );
  }

  /** Tensors of theirs under our names; `ours` are the keys that are wanted. @throws when one of theirs is missing */
  toOurs(state: ReadonlyMap<string, Tensor>, ours: Iterable<string>): Map<string, Tensor> {
    return new Map(
      [...ours].map((key) => {
        const { keys, toOurs } = this.place(key);
        const parts = keys.map((theirs) => {
          const part = state.get(theirs);
          if (!part) throw new Error(`"${theirs}" is missing`);
          return part;
        });
        return [key, toOurs(parts)];
      }),
    );
  }
}

/** Of models whose names are the same on both sides. */
export const SAME_KEYS = new KeyTable([{ ours: "", theirs: "" }]);

function patternOf(ours: string): RegExp {
  const source = ours.replaceAll(".", "\\.").replaceAll("*", "(\\d+)");
  return new RegExp(ours === "" ? "^(.*)$" : `^${source}((?:\\.[^.]+)?)$`);
}

function placeOf(rule: KeyRule, numbers: readonly number[], rest: string): Place {
  const { theirs, rows, halvesSwapped, pointwise } = rule;
  const theirNumbers = [...(rule.numbers?.(numbers) ?? numbers)];
  const name = (text: string) => {
    let i = 0;
    return text.replaceAll("*", () => String(theirNumbers[i++])) + rest;
  };
  if (typeof theirs !== "string") {
    return {
      keys: theirs.map(name),
      toOurs: (parts) => cat(parts, 0),
      toTheirs: (tensor) => splitRows(tensor, rows ?? theirs.map(() => tensor.shape[0] / theirs.length)),
    };
  }
  const keys = [name(theirs)];
  if (halvesSwapped) {
    return { keys, toOurs: ([part]) => swapHalves(part), toTheirs: (tensor) => [swapHalves(tensor)] };
  }
  if (pointwise && rest === ".weight") {
    return {
      keys,
      toOurs: ([part]) => part.view([...part.shape, 1, 1]),
      toTheirs: (tensor) => [tensor.view(tensor.shape.slice(0, 2))],
    };
  }
  return { keys, toOurs: ([part]) => part, toTheirs: (tensor) => [tensor] };
}

function splitRows(tensor: Tensor, rows: readonly number[]): Tensor[] {
  let start = 0;
  return rows.map((length) => {
    const part = tensor.narrow(0, start, length);
    start += length;
    return part;
  });
}

function swapHalves(tensor: Tensor): Tensor {
  return scope(() => cat(tensor.chunk(2, 0).reverse(), 0));
}
