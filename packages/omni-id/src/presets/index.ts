import { klein } from "./klein.ts";
import { nano } from "./nano.ts";
import { NANO_CLIP } from "./nano-clip.ts";
import { nanoPaper } from "./nano-paper.ts";
import { nanoScenes } from "./nano-scenes.ts";
import { nearest } from "./nearest.ts";
import { paper } from "./paper.ts";
import { type Preset, presetSchema } from "./schema.ts";

type Values = Record<string, unknown>;

/** Parts of a preset that have a name of their own: `backbone=nano-clip`. */
const PARTS: Readonly<Record<string, Readonly<Record<string, Values>>>> = { backbone: { "nano-clip": NANO_CLIP } };

/** All presets by name. */
export const presets: Readonly<Record<string, Preset>> = {
  nano,
  "nano-paper": nanoPaper,
  "nano-scenes": nanoScenes,
  paper,
  klein,
};

/** What options were before there were such options: files that are older than these were made by it. */
const BEFORE: Values = {
  faceMask: "outline-skin",
  flow: {
    layout: false,
    guidance: { distilled: 3.5, classifierFree: 3 },
    base: { faceWeight: 1 },
    adapter: { standardise: true, faceWeight: 1, baseRate: 0, told: 1 },
  },
};

/**
 * A preset by name, with single values replaced.
 * @param overrides `key=value`, dotted keys, such as `mtd.optimisation.steps=200`; values are JSON
 * @throws for an unknown preset or key (the nearest known one is named), and for a value out of range
 */
export function resolvePreset(name: string, overrides: readonly string[] = []): Preset {
  const base = presets[name];
  if (!base) throw new Error(`preset "${name}" is not known${nearest(name, Object.keys(presets))}`);
  const preset: Values = structuredClone(base);
  for (const override of overrides) assign(preset, override);
  const parsed = presetSchema.safeParse(preset);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`preset "${name}": ${issue.path.join(".")}: ${issue.message}`);
}

/**
 * A preset that a file tells of. Options that are younger than the file take the value that was in effect before there
 * were any, else the one of the preset of its name, where a new option changes nothing.
 * @returns undefined when it is no preset
 */
export function completePreset(stored: unknown): Preset | undefined {
  const base = presets[(stored as Partial<Preset> | undefined)?.name ?? ""];
  const moved = inTheirPlaces(stored);
  const parsed = presetSchema.safeParse(base ? fill(fill(moved, BEFORE), base) : moved);
  return parsed.success ? parsed.data : undefined;
}

const plain = (value: unknown): value is Values => typeof value === "object" && value !== null && !Array.isArray(value);

/** Once both stages had one size. */
function inTheirPlaces(stored: unknown): unknown {
  if (!plain(stored) || !("imageSize" in stored)) return stored;
  const { imageSize, mtd, flow, ...rest } = stored;
  return { ...rest, mtd: { imageSize, ...(mtd as Values) }, flow: { imageSize, ...(flow as Values) } };
}

function fill(stored: unknown, base: unknown): unknown {
  if (!plain(stored) || !plain(base)) return stored;
  // Another kind of part has other options.
  if (stored.kind !== base.kind) return stored;
  const missing = Object.entries(base).filter(([key]) => !(key in stored));
  const own = Object.entries(stored).map(([key, value]) => [key, fill(value, base[key])]);
  return Object.fromEntries([...own, ...missing]);
}

/** What lies at a dotted key; undefined where nothing does. */
const partAt = (preset: unknown, path: string | readonly string[]): unknown =>
  (typeof path === "string" ? path.split(".") : path).reduce<unknown>(
    (node, key) => (plain(node) ? node[key] : undefined),
    preset,
  );

function assign(preset: Values, override: string): void {
  const split = override.indexOf("=");
  if (split < 1) throw new Error(`"${override}" is no preset value; write key=value, such as mtd.batch=8`);
  const path = override.slice(0, split);
  const keys = path.split(".");
  const last = keys.pop() as string;
  const whole = partAt(preset, path);
  if (plain(whole) && "kind" in whole) {
    const text = override.slice(split + 1);
    const part = PARTS[path]?.[text] ?? parseValue(text, override);
    if (!plain(part))
      throw new Error(`"${override}": ${path} has several values${nearest(text, Object.keys(PARTS[path] ?? {}))}`);
    // Of the same kind what is told replaces what was; another kind is told as a whole.
    (partAt(preset, keys) as Values)[last] = part.kind === whole.kind ? { ...whole, ...part } : { ...part };
    return;
  }
  const known = [...valuesOf(preset).keys()];
  if (!known.includes(path)) {
    const meant = known.filter((key) => key.endsWith(`.${path}`)).map((key) => `"${key}"`);
    const hint = meant.length > 0 ? `; did you mean ${meant.join(" or ")}?` : nearest(path, known);
    throw new Error(`preset key "${path}" is not known${hint}`);
  }
  (partAt(preset, keys) as Values)[last] = parseValue(override.slice(split + 1), override);
}

/** Values by dotted key, such as `mtd.optimisation.steps`; a list is one value. */
function valuesOf(node: Values, prefix = ""): Map<string, unknown> {
  return new Map(
    Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
      const inner = typeof value === "object" && value !== null && !Array.isArray(value);
      return inner ? [...valuesOf(value as Values, `${prefix}${key}.`)] : [[prefix + key, value]];
    }),
  );
}

/** A value by its dotted key; undefined for one that is not known. */
export const presetValue = (preset: Preset, key: string): unknown => valuesOf(preset).get(key);

/** Keys whose values differ between two presets, with both as JSON; `undefined` where one lacks the key. */
export function compare(before: Preset, after: Preset): { key: string; was?: string; is?: string }[] {
  const [old, now] = [before, after].map((preset) => valuesOf(preset));
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key) => {
    const [was, is] = [old, now].map((values) => JSON.stringify(values.get(key)));
    return was === is ? [] : [{ key, was, is }];
  });
}

/** What differs between two presets, for a person: `mtd.batch 16 → 8`. */
export function presetDifferences(before: Preset, after: Preset): string[] {
  return compare(before, after).map(({ key, was = "absent", is = "absent" }) => `${key} ${was} → ${is}`);
}

/** The overrides that make `preset` out of `base`: `mtd.batch=8`. */
export function presetOverrides(base: Preset, preset: Preset): string[] {
  const differences = compare(base, preset);
  // Another kind of part has other keys, of which `base` knows nothing: it is told as a whole.
  const kinds = differences.filter(
    ({ key, was, is }) => key.endsWith(".kind") && was !== undefined && is !== undefined,
  );
  const parts = kinds
    .map(({ key }) => key.slice(0, -".kind".length))
    .filter((part) =>
      differences.some(({ key, was, is }) => key.startsWith(`${part}.`) && (was === undefined || is === undefined)),
    );
  const inParts = (key: string) => parts.some((part) => key.startsWith(`${part}.`));
  return [
    ...parts.map((part) => `${part}=${JSON.stringify(partAt(preset, part))}`),
    ...differences.flatMap(({ key, is }) => (is === undefined || inParts(key) ? [] : [`${key}=${is}`])),
  ];
}

function parseValue(text: string, override: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (/^[\w-]+$/.test(text)) return text;
    throw new Error(`"${override}": "${text}" is neither a number, a list such as [1,3,5], nor a word`);
  }
}
