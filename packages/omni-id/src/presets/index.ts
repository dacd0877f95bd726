import { nearest } from "../nearest.ts";
import { nano } from "./nano.ts";
import { paper } from "./paper.ts";
import { type Preset, presetSchema } from "./schema.ts";

export const presets: Readonly<Record<string, Preset>> = { nano, paper };

/**
 * A preset by name, with single values replaced.
 * @param overrides `key=value`, dotted keys, such as `mtd.optimisation.steps=200`; values are JSON
 * @throws for an unknown preset or key (the nearest known one is named), and for a value out of range
 */
export function resolvePreset(name: string, overrides: readonly string[] = []): Preset {
  const base = presets[name];
  if (!base) throw new Error(`preset "${name}" is not known${nearest(name, Object.keys(presets))}`);
  const preset = structuredClone(base) as unknown as Record<string, unknown>;
  for (const override of overrides) assign(preset, override);
  const parsed = presetSchema.safeParse(preset);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`preset "${name}": ${issue.path.join(".")}: ${issue.message}`);
}

/**
 * A preset that a file tells of. Options that are younger than the file take the value they have in the preset of its
 * name, where a new option changes nothing. @returns undefined when it is no preset
 */
export function completePreset(stored: unknown): Preset | undefined {
  const base = presets[(stored as Partial<Preset> | undefined)?.name ?? ""];
  const parsed = presetSchema.safeParse(base ? fill(stored, base) : stored);
  return parsed.success ? parsed.data : undefined;
}

function fill(stored: unknown, base: unknown): unknown {
  const plain = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!plain(stored) || !plain(base)) return stored;
  // Another kind of part has other options.
  if (stored.kind !== base.kind) return stored;
  const missing = Object.entries(base).filter(([key]) => !(key in stored));
  const own = Object.entries(stored).map(([key, value]) => [key, fill(value, base[key])]);
  return Object.fromEntries([...own, ...missing]);
}

function assign(preset: Record<string, unknown>, override: string): void {
  const split = override.indexOf("=");
  if (split < 1) throw new Error(`"${override}" is no preset value; write key=value, such as mtd.batch=8`);
  const path = override.slice(0, split).split(".");
  const text = override.slice(split + 1);
  let node = preset;
  for (const [depth, key] of path.entries()) {
    if (!(key in node)) {
      const known = Object.keys(node).map((k) => [...path.slice(0, depth), k].join("."));
      throw new Error(`preset key "${path.join(".")}" is not known${nearest(path.join("."), known)}`);
    }
    if (depth === path.length - 1) {
      node[key] = parseValue(text, override);
      return;
    }
    const next = node[key];
    if (typeof next !== "object" || next === null || Array.isArray(next)) {
      throw new Error(`preset key "${path.join(".")}" is not known: ${path.slice(0, depth + 1).join(".")} is a value`);
    }
    node = next as Record<string, unknown>;
  }
}

function parseValue(text: string, override: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (/^[\w-]+$/.test(text)) return text;
    throw new Error(`"${override}": "${text}" is neither a number, a list such as [1,3,5], nor a word`);
  }
}
