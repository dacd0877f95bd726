import { type Provenance, ShardSet, splitOf } from "@omni-id/data";
import { type AnalysedFace, loadImage, type RgbImage } from "@omni-id/face";
import { IdentityEncoder, type Photo } from "../encode.ts";
import { chooseQueries } from "../evaluate/attention-maps.ts";
import { overlay } from "../evaluate/attention-overlay.ts";
import { attentionOfPeople, type PeopleAttention } from "../evaluate/attention-people.ts";
import { attentionOf } from "../evaluate/attention-photos.ts";
import type { AttentionReport } from "../evaluate/attention-report.ts";
import { answerBy, type ClaimAnswer } from "../evaluate/figures.ts";
import { saveSheet } from "../pictures/picture.ts";
import type { LoadedEncoder } from "../weights/first-stage.ts";

/** What stands in the results of figure 10. */
export interface Figure10 extends PeopleAttention, Provenance {
  figure: 10;
  weights: string;
  hypotheses: { claim: string; answer: ClaimAnswer; by: string }[];
  /** The command that renders the people again; absent for photos from elsewhere. */
  data?: string;
}

/** People whose photos are shown. */
const SHOWN = 2;
const QUERIES = 6;

/** One person with what the encoder looks at. */
interface Looked {
  report: AttentionReport;
  /** How far the mouth is open, by landmarks, photo by photo; how far the head is turned, degrees. */
  mouths: number[];
  turned: number[];
}

/** What the encoder's queries look at in photos of people whom nothing was trained on. */
export async function lookAtPeople(
  encoder: LoadedEncoder,
  { data, people, onProgress }: { data: string; people: number; onProgress: (done: number, all: number) => void },
): Promise<Looked[]> {
  const shards = await ShardSet.open(data);
  const ids = splitOf(shards).test.slice(0, people);
  const maker = await IdentityEncoder.create(encoder);
  const looked: Looked[] = [];
  for (const id of ids) {
    const record = await shards.read(id);
    const photos: Photo[] = [];
    for (const index of record.images.keys()) {
      const name = `${id}.${index}.jpg`;
      if (record.images[index].scene === undefined)
        photos.push({ name, image: await loadImage(await record.image(index), { name }) });
    }
    const { used } = await maker.encode(photos);
    const faces = used.map(({ face }) => face);
    const report = attentionOf(encoder.bundle.encoder, used);
    looked.push({ report, mouths: faces.map(openness), turned: faces.map(({ pose }) => Math.abs(pose.yaw)) });
    onProgress(looked.length, ids.length);
  }
  return looked;
}

/** Distance of the lips, inside, over that of the eyes' outer corners (68 landmarks). */
function openness({ landmarks }: AnalysedFace): number {
  const apart = (a: number, b: number) =>
    Math.hypot(landmarks[2 * a] - landmarks[2 * b], landmarks[2 * a + 1] - landmarks[2 * b + 1]);
  return apart(62, 66) / apart(36, 45);
}

/** Figures of all, with the claim that was written before: a query keeps to its place. */
export function figure10(
  looked: readonly Looked[],
  { provenance, weights, data }: { provenance: Provenance; weights: string; data: string | undefined },
): Figure10 {
  const attention = attentionOfPeople(looked.map(({ report }) => report));
  const { mean, ci } = attention.difference;
  const by = `${mean.toFixed(3)} [${ci.map((end) => end.toFixed(3)).join(", ")}]`;
  const claim = "A query looks at the same part of the face whoever it is, more often than by chance";
  return {
    figure: 10,
    weights,
    ...attention,
    hypotheses: [{ claim, answer: answerBy(attention.difference), by }],
    data,
    ...provenance,
  };
}

/**
 * Photos in rows: of each of two people the one with the mouth open the widest, the one with it closed, and the one turned
 * the furthest. In columns the queries that are most local over all people.
 */
export async function saveFigure10(file: string, looked: readonly Looked[], figure: Figure10): Promise<void> {
  const over = figure.queries.map(({ query, entropy, betweenPeople, part }) => {
    const places = looked.map(({ report }) => report.queries[query].place);
    const middle = (axis: 0 | 1) => places.reduce((sum, place) => sum + place[axis], 0) / places.length;
    return { query, entropy, part, place: [middle(0), middle(1)] as const, spread: betweenPeople };
  });
  const chosen = chooseQueries(over, QUERIES);
  const rows = looked.slice(0, SHOWN).flatMap(({ report, mouths, turned }) =>
    choose(mouths, turned).map((photo): RgbImage[] => {
      const { crop, maps } = report.photos[photo];
      return [crop, ...chosen.map(({ query }) => overlay(crop, maps[query]))];
    }),
  );
  await saveSheet(file, {
    title: "Figure 10: what the encoder's queries look at",
    columns: ["photo", ...chosen.map(({ query, part }) => `query ${query}\n${part}`)],
    rows,
    notes: [
      `Of each person the photo with the mouth open the widest, the one with it closed, the one turned the furthest. Cross-attention block ${figure.block}, mean over heads.`,
      `Over ${figure.people} people and ${figure.photos} photos: a query looks at the same part as in most others in ${Math.round(100 * figure.agreement.mean)} % (${Math.round(100 * figure.shuffled.mean)} % by chance), mean entropy ${figure.entropy.mean.toFixed(2)}.`,
    ],
    tile: 144,
  });
}

/** Three different photos where there are as many. */
function choose(mouths: readonly number[], turned: readonly number[]): number[] {
  const left = new Set(mouths.keys());
  const take = (value: (photo: number) => number) => {
    const [first] = [...left].sort((a, b) => value(b) - value(a));
    left.delete(first);
    return first;
  };
  return [(photo: number) => mouths[photo], (photo: number) => -mouths[photo], (photo: number) => turned[photo]]
    .slice(0, mouths.length)
    .map(take);
}
