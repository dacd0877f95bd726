import type { Tensor } from "../tensor.ts";

const SHOWN = 12;

/** @throws when keys or shapes of `given` do not fit those of `own`; the message lists all that is wrong */
export function checkKeys(
  module: string,
  own: ReadonlyMap<string, Tensor>,
  given: ReadonlyMap<string, Tensor>,
  strict: boolean,
): void {
  const there = new Set([...own].filter(([key]) => given.has(key)).map(([, tensor]) => tensor)); // ties: by any key
  const missing = [...own].filter(([, tensor]) => !there.has(tensor)).map(([key]) => key);
  const unexpected = [...given.keys()].filter((key) => !own.has(key));
  const misshaped = [...own].flatMap(([key, tensor]) => {
    const value = given.get(key);
    if (!value || value.shape.join() === tensor.shape.join()) return [];
    return [`${key} is [${value.shape.join(", ")}], expected [${tensor.shape.join(", ")}]`];
  });
  const problems = [
    ...(strict
      ? list(
          "missing",
          missing.map((key) => key + hint(key, unexpected)),
        )
      : []),
    ...(strict ? list("unexpected", unexpected) : []),
    ...list("of another shape", misshaped),
  ];
  if (problems.length > 0) throw new Error(`${module}: these weights do not fit\n${problems.join("\n")}`);
}

function list(what: string, keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  const more = keys.length > SHOWN ? [`  … and ${keys.length - SHOWN} more`] : [];
  return [`${what} (${keys.length}):`, ...keys.slice(0, SHOWN).map((key) => `  ${key}`), ...more];
}

/** A key that ends alike was probably meant: a prefix is missing, or one too many. */
function hint(key: string, others: readonly string[]): string {
  const alike = others.find((other) => other.endsWith(`.${key}`) || key.endsWith(`.${other}`));
  return alike ? ` (did you mean "${alike}"?)` : "";
}
