import type { BodyModel } from "./body-model.ts";

/** The body model's broad dials, 0…1; `origin` weighs its three modelled populations and sums to 1. */
export interface Macro {
  age: number;
  gender: number;
  weight: number;
  muscle: number;
  height: number;
  origin: readonly [african: number, asian: number, caucasian: number];
}

/** The age dial: 0.5 is 25 years, 1 is 90. */
export const ageDial = (years: number) => (years < 25 ? (years - 1) / 48 : 0.5 + (years - 25) / 130);

type Shares = [string, number][];

function ageShares(age: number): Shares {
  if (age >= 0.5) {
    const old = 2 * age - 1;
    return [
      ["young", 1 - old],
      ["old", old],
    ];
  }
  const young = Math.max(0, (age - 0.1875) * 3.2);
  const baby = Math.max(0, 1 - age * 5.333);
  return [
    ["baby", baby],
    ["child", Math.max(0, Math.min(1, 5.333 * age) - young)],
    ["young", young],
  ];
}

/** A dial between three modelled points. */
function threeShares(value: number, what: string): Shares {
  const low = Math.max(0, 1 - 2 * value);
  const high = Math.max(0, 2 * value - 1);
  return [
    [`min${what}`, low],
    [`average${what}`, 1 - low - high],
    [`max${what}`, high],
  ];
}

/** The targets that the broad dials stand for: products of the shares of each dial. */
export function macroTargets({ age, gender, weight, muscle, height, origin }: Macro): Map<string, number> {
  const out = new Map<string, number>();
  const add = (name: string, share: number) => {
    if (share > 1e-4) out.set(name, (out.get(name) ?? 0) + share);
  };
  const genders: Shares = [
    ["female", 1 - gender],
    ["male", gender],
  ];
  const origins: Shares = [
    ["african", origin[0]],
    ["asian", origin[1]],
    ["caucasian", origin[2]],
  ];
  for (const [g, gShare] of genders) {
    for (const [a, aShare] of ageShares(age)) {
      const both = gShare * aShare;
      for (const [o, share] of origins) add(`macrodetails/${o}-${g}-${a}`, both * share);
      for (const [m, mShare] of threeShares(muscle, "muscle")) {
        for (const [w, wShare] of threeShares(weight, "weight")) {
          const body = both * mShare * wShare;
          add(`macrodetails/universal-${g}-${a}-${m}-${w}`, body);
          for (const [h, share] of threeShares(height, "height")) {
            add(`macrodetails/height/${g}-${a}-${m}-${w}-${h}`, body * share);
          }
          if (g === "female") add(`breast/${g}-${a}-${m}-${w}-averagecup-averagefirmness`, body);
        }
      }
    }
  }
  return out;
}

/** Adds weighted targets to positions; targets that the package lacks are left out when they come from dials. */
export function addTargets(
  model: BodyModel,
  positions: Float32Array,
  targets: Iterable<readonly [string, number]>,
): void {
  for (const [name, weight] of targets) {
    if (weight === 0 || !model.hasTarget(name)) continue;
    const { index, delta } = model.target(name);
    for (let i = 0, k = 0; i < index.length; i++, k += 3) {
      const at = index[i] * 3;
      positions[at] += delta[k] * weight;
      positions[at + 1] += delta[k + 1] * weight;
      positions[at + 2] += delta[k + 2] * weight;
    }
  }
}

/** Expression units exist once for each modelled population. */
export function expressionTargets(
  units: Readonly<Record<string, number>>,
  origin: Macro["origin"],
): [string, number][] {
  const names = ["african", "asian", "caucasian"];
  return Object.entries(units).flatMap(([unit, weight]) =>
    names.map((name, i): [string, number] => [`expression/units/${name}/${unit}`, weight * origin[i]]),
  );
}
