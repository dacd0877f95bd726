import { FAMILIES, type Family, type FamilyRule, type Layout } from "./families.ts";

/** One network of a file. */
export interface Content {
  family: Family;
  layout: Layout;
  /** What its names are wrapped in, such as "model.diffusion_model." or "_orig_mod."; "" where nothing is. */
  prefix: string;
  /** Its names without the wrapper, in our spelling, and the file's keys. */
  keys: ReadonlyMap<string, string>;
}

/** What torch.compile, FSDP and activation checkpointing put between the parts of a key, anywhere. */
const INSERTED = new Set(["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"]);

function plain(key: string): string {
  return key
    .split(".")
    .filter((part) => !INSERTED.has(part))
    .join(".");
}

/**
 * What a file holds, told by its keys alone: every network with what it is wrapped in. A file's name says nothing, and
 * no list of wrappers is needed: whatever stands before a network's own names is one.
 */
export function contentsOf(keys: readonly string[]): Content[] {
  const names = new Map(keys.map((key) => [plain(key), key] as const));
  const found = FAMILIES.flatMap((rule) => wrappersOf(rule, names).map((place) => ({ rule, ...place })));
  const kept = found.filter(
    ({ rule, prefix }) => !found.some((other) => other.prefix === prefix && rule.unless?.includes(other.rule.family)),
  );
  const prefixes = [...new Set(kept.map(({ prefix }) => prefix))];
  return kept.map(({ rule, layout, prefix }) => {
    const inner = prefixes.filter((other) => other !== prefix && other.startsWith(prefix));
    const own = [...names].filter(
      ([name]) => name.startsWith(prefix) && !inner.some((other) => name.startsWith(other)),
    );
    return {
      family: rule.family,
      layout,
      prefix: wrapperIn(own, prefix, rule),
      keys: namesOf(rule, own, prefix),
    };
  });
}

/** Where a family's signs stand. */
function wrappersOf({ signs }: FamilyRule, names: ReadonlyMap<string, string>): { layout: Layout; prefix: string }[] {
  return Object.entries(signs).flatMap(([layout, [first, ...others]]) =>
    [...names.keys()]
      .filter((name) => name === first || name.endsWith(`.${first}`))
      .map((name) => name.slice(0, -first.length))
      .filter((prefix) => others.every((other) => names.has(prefix + other)))
      .map((prefix) => ({ layout: layout as Layout, prefix })),
  );
}

/** The wrapper as the file writes it. */
function wrapperIn(own: readonly (readonly [string, string])[], prefix: string, { signs }: FamilyRule): string {
  for (const [first] of Object.values(signs)) {
    const key = own.find(([name]) => name === prefix + first)?.[1];
    if (key?.endsWith(first)) return key.slice(0, -first.length);
  }
  return prefix;
}

function namesOf(rule: FamilyRule, own: readonly (readonly [string, string])[], prefix: string): Map<string, string> {
  const keys = new Map(own.map(([name, key]) => [spell(rule, name.slice(prefix.length)), key] as const));
  for (const [name, other] of Object.entries(rule.standIns ?? {})) {
    const key = keys.get(other);
    if (key !== undefined && !keys.has(name)) keys.set(name, key);
  }
  return keys;
}

/** Norms as TensorFlow and old PyTorch code call their weights. */
const EVERYWHERE: NonNullable<FamilyRule["spellings"]> = [
  [/\.gamma$/, ".weight"],
  [/\.beta$/, ".bias"],
];

function spell({ spellings = [] }: FamilyRule, name: string): string {
  return [...EVERYWHERE, ...spellings].reduce((text, [from, to]) => text.replace(from, to), name);
}

/** Weights averaged over a training, which lie beside the weights themselves. */
const AVERAGED = /(^|[._])ema([._]|$)/;

/** The network of a family; of several, the one that is not an average. */
export function contentOf(contents: readonly Content[], family: Family): readonly Content[] {
  const of = contents.filter((content) => content.family === family);
  const plainOnes = of.filter(({ prefix }) => !AVERAGED.test(prefix));
  return plainOnes.length > 0 ? plainOnes : of;
}
