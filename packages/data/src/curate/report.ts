import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { writeFileAtomically } from "../atomic-file.ts";
import { ShardSet } from "../shards.ts";
import { readSplit, type SetSplit } from "../split-file.ts";
import { outcomes } from "./assemble.ts";
import type { Thumb } from "./dropped-sample.ts";
import { REASONS, type Reason } from "./observation.ts";
import type { Recipe } from "./recipe.ts";
import { escapeHtml, histogramSvg, legend, posesSvg } from "./report-figures.ts";
import { funnel, settingsOf } from "./report-funnel.ts";
import { STYLE } from "./report-style.ts";
import type { CurateSettings, SetSettings } from "./settings.ts";
import type { SetSummary } from "./summary.ts";
import { type SetWords, wordsOf } from "./words.ts";

/** What `curation.json` holds. */
export interface CurationFile extends Recipe {
  missing: string[];
  malformed: { where: string; what: string }[];
  summary: SetSummary;
}

/** Identities, worst pictures, and dropped faces of a reason that are shown. */
const [PEOPLE, WORST, DROPPED] = [24, 24, 16];
const TILE = 88;
/** Pictures of a person that are shown. */
const MOST_TILES = 12;

/**
 * `report.html`: one file that shows a person within a minute what a set is and whether a threshold is wrong. It holds
 * nothing that depends on when or how fast it was made.
 * @returns its path
 */
export async function writeReport(out: string): Promise<string> {
  const path = join(out, "report.html");
  const curation = JSON.parse(readFileSync(join(out, "curation.json"), "utf8")) as CurationFile;
  const pictures = new Pictures(out);
  const words = wordsOf(curation);
  const sections = [
    heading(curation, out),
    funnel(curation.summary, curation.settings, words),
    figures(curation.summary, curation.settings),
    await people(pictures, curation),
    await worst(pictures, out),
    dropped(out, curation.settings),
    troubles(curation),
  ];
  const { title } = words;
  writeFileAtomically(
    path,
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head><body>\n${sections.filter(Boolean).join("\n")}\n</body></html>\n`,
  );
  return path;
}

/** Pictures of a set as small data URLs. */
class Pictures {
  readonly #out: string;
  #shards?: ShardSet;

  constructor(out: string) {
    this.#out = out;
  }

  async set(): Promise<ShardSet | undefined> {
    if (!readdirSync(this.#out).some((name) => name.endsWith(".tar"))) return undefined;
    this.#shards ??= await ShardSet.open(this.#out);
    return this.#shards;
  }

  async tile(id: string, index: number, title: string): Promise<string> {
    const person = await (await this.set())?.read(id);
    if (!person) return "";
    const small = await sharp(await person.image(index))
      .resize(TILE, TILE)
      .jpeg({ quality: 78 })
      .toBuffer();
    return picture(small.toString("base64"), title);
  }
}

const picture = (base64: string, title: string) =>
  `<img width="${TILE}" height="${TILE}" alt="" title="${escapeHtml(title)}" src="data:image/jpeg;base64,${base64}">`;

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

function heading(curation: CurationFile, out: string): string {
  const { summary, settings, quality } = curation;
  const words = wordsOf(curation);
  const split = readSplit(out);
  const held = split ? heldOut(split, words) : "A part of a set: who is held out is decided when the parts are merged.";
  const recipe = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return `${curation.kind === "photos" ? ofPhotos(summary, settings) : ofVideos(summary, settings)}
<p>${held}</p>
<p class="recipe">${recipe.join(" · ")}${quality ? ` · quality by a model (${quality.slice(0, 12)})` : ""}</p>`;
}

function ofVideos(
  { videos, fruitful, clips, frames, identities, people, kept }: SetSummary,
  settings: SetSettings,
): string {
  const { images, fps, size } = settings as CurateSettings;
  return `<h1>${counted(identities, "identity", "identities")} × ${images} faces</h1>
<p>From ${counted(videos, "video")} (${counted(clips, "clip")}, ${counted(frames, "frame")} looked at, ${fps} a second). ${counted(people, "person was", "people were")} told apart; ${identities} of them, in ${counted(fruitful, "video")}, have ${images} faces that differ enough: ${kept} pictures of ${size} pixels.</p>`;
}

function ofPhotos({ videos, clips, identities, kept }: SetSummary, { size }: SetSettings): string {
  return `<h1>${counted(identities, "person", "people")}, ${counted(kept, "picture")}</h1>
<p>From ${counted(clips, "photo")} of ${counted(videos, "person", "people")}. Each has as many pictures, of ${size} pixels, as were good enough and differ.</p>`;
}

function heldOut({ test, validation }: SetSplit, { source: [one, many] }: SetWords): string {
  if (test.sources.length + validation.sources.length === 0) return `So few ${many} that none is held out for testing.`;
  const told = ({ sources, ids }: SetSplit["test"], what: string) =>
    `${counted(sources.length, one, many)} with ${counted(ids.length, "identity", "identities")} for ${what}`;
  return `Held out: ${told(test, "testing")}, ${told(validation, "validation")}.`;
}

function figures({ poses, sizes, qualities }: SetSummary, { minSize, minQuality }: SetSettings): string {
  const figure = (title: string, svg: string) => `<figure><figcaption>${title}</figcaption>${svg}</figure>`;
  return `<h2>Poses, sizes, quality</h2><div class="figures">${[
    figure("kept faces by yaw (across) and pitch (down)", posesSvg(poses.kept)),
    figure("all measured faces by yaw and pitch", posesSvg(poses.measured)),
    figure("side of the aligned face in its frame, pixels", histogramSvg(sizes, minSize)),
    figure("quality, 0…1", histogramSvg(qualities, minQuality)),
  ].join("")}</div>${legend}`;
}

async function people(pictures: Pictures, { settings, kind }: CurationFile): Promise<string> {
  const set = await pictures.set();
  if (!set) return `<h2>People</h2><p>Nobody has enough pictures: see above which filter takes most.</p>`;
  const rank = (id: string) => createHash("sha256").update(`${settings.seed}\0${id}`).digest("hex");
  const ids = [...set.ids]
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .slice(0, PEOPLE)
    .sort();
  const rows: string[] = [];
  for (const id of ids) {
    const { images } = await set.read(id);
    const tiles = await Promise.all(
      images.slice(0, MOST_TILES).map(({ pose, quality, from }, i) => {
        const second = kind === "photos" ? "" : ` at ${from?.second} s`;
        const where = from ? `${from.clip}${second}, ${Math.round(from.size)} px` : "";
        return pictures.tile(
          id,
          i,
          `yaw ${Math.round(pose.yaw)}° pitch ${Math.round(pose.pitch)}°, quality ${quality?.toFixed(2)}, ${where}`,
        );
      }),
    );
    rows.push(`<div class="person"><span>${escapeHtml(id)}</span>${tiles.join("")}</div>`);
  }
  return `<h2>People</h2><p>${rows.length} of ${set.ids.length}, drawn by the seed. Every row should be one person.</p>${rows.join("\n")}`;
}

async function worst(pictures: Pictures, out: string): Promise<string> {
  let found: { id: string; picture: number; quality: number }[] = [];
  for (const { faces, people: all } of outcomes(out)) {
    for (const { person, picture: index, quality = 0 } of faces) {
      if (index === undefined || person === undefined) continue;
      found.push({ id: all[person].id, picture: index, quality });
    }
    found = found.sort((a, b) => a.quality - b.quality || (a.id < b.id ? -1 : 1)).slice(0, WORST);
  }
  if (found.length === 0) return "";
  const tiles = await Promise.all(
    found.map(({ id, picture: index, quality }) => pictures.tile(id, index, `${id}, quality ${quality.toFixed(3)}`)),
  );
  return `<h2>The worst that were kept</h2><p>Quality ${found[0].quality.toFixed(3)} and up. If they are bad, raise <code>minQuality</code>; if all are good, lower it.</p><div class="tiles">${tiles.join("")}</div>`;
}

function dropped(out: string, settings: SetSettings): string {
  const byReason = new Map<Reason, Thumb[]>();
  const folder = join(out, "journal");
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".dropped.json"))
        .sort()
    : [];
  for (const file of files) {
    for (const thumb of JSON.parse(readFileSync(join(folder, file), "utf8")) as Thumb[]) {
      const there = byReason.get(thumb.why) ?? [];
      if (there.length < DROPPED) byReason.set(thumb.why, [...there, thumb]);
    }
  }
  const rows = (Object.keys(REASONS) as Reason[]).flatMap((why) => {
    const thumbs = byReason.get(why);
    if (!thumbs) return [];
    const tiles = thumbs.map(({ picture: base64, second, quality, detail, size }) => {
      const told = [...(second > 0 ? [`at ${second} s`] : []), ...named({ size, detail, quality })];
      return picture(base64, told.join(", "));
    });
    const by = settingsOf(why, settings);
    return [`<h3>${REASONS[why]}${by && ` <code>${by}</code>`}</h3><div class="tiles">${tiles.join("")}</div>`];
  });
  return `<h2>Dropped faces, by reason</h2><p>A few of each, drawn by the seed; the figures show on pointing.</p>${rows.join("")}`;
}

function named(values: Record<string, number | undefined>): string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value < 10 ? value.toFixed(2) : Math.round(value)}`],
  );
}

function troubles(curation: CurationFile): string {
  const { missing, malformed, summary } = curation;
  const { refused, notes } = summary;
  const { source, clip: clips } = wordsOf(curation);
  const list = (title: string, lines: string[]) =>
    lines.length === 0
      ? ""
      : `<h3>${title}</h3><ul>${lines
          .slice(0, 200)
          .map((line) => `<li>${escapeHtml(line)}</li>`)
          .join("")}</ul>`;
  const place = (video: string, clip: string) => (clip === "whole" ? video : `${video}, ${clip}`);
  const parts = [
    list(
      `${refused.length} ${clips[1]} were of no use`,
      refused.map(({ video, clip, why }) => `${place(video, clip)}: ${why}`),
    ),
    list(
      `${notes.length} ${clips[1]} with a note`,
      notes.map(({ video, clip, note }) => `${place(video, clip)}: ${note}`),
    ),
    list(`${missing.length} ${curation.kind ? clips[1] : source[1]} are named and not there`, missing),
    list(
      `${malformed.length} annotations could not be read`,
      malformed.map(({ where, what }) => `${where}: ${what}`),
    ),
  ].join("");
  return parts && `<h2>What could not be used</h2>${parts}`;
}
