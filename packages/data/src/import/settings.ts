import { replaceSettings, type SetSettings } from "../curate/settings.ts";

/** What a set of photos is made by. */
export type ImportSettings = SetSettings;

const common = {
  minScore: 0.7,
  maxYaw: 75,
  maxPitch: 45,
  maxOutside: 0.3,
  samePerson: 0.4,
  sameFace: 0.3,
  seed: 0,
  shardSize: 64,
};

/**
 * Photos of a person lie years apart, so they need to look less alike than pieces of one film. Photos are few, so
 * smaller and softer faces are taken.
 */
export const IMPORT_PRESETS: Readonly<Record<string, ImportSettings>> = {
  nano: { preset: "nano", size: 160, minSize: 80, minDetail: 0.02, minQuality: 0.03, ...common },
  paper: { preset: "paper", size: 512, minSize: 320, minDetail: 0.04, minQuality: 0.05, ...common },
};

/** A preset with some values replaced: `["minSize=64"]`. @throws as `curateSettings` */
export const importSettings = (preset: string, replaced: readonly string[] = []): ImportSettings =>
  replaceSettings(IMPORT_PRESETS, preset, replaced);
