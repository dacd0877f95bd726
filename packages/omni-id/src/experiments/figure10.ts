import { bootstrap, bootstrapDifference, type Estimate, type Provenance, type ShardSet } from "@omni-id/data";
import { type AnalysedFace, loadImage, type RgbImage } from "@omni-id/face";
import { IdentityEncoder, type Photo } from "../encode.ts";
import { coverMouth, shareAtMouth } from "../evaluate/attention-covered.ts";
import { chooseQueries } from "../evaluate/attention-maps.ts";
import { overlay } from "../evaluate/attention-overlay.ts";
import { attentionOfPeople, type PeopleAttention } from "../evaluate/attention-people.ts";
import { attentionOf } from "../evaluate/attention-photos.ts";
import type { AttentionReport } from "../evaluate/attention-report.ts";
import { answerBy, type ClaimAnswer } from "../evaluate/figures.ts";
import { saveSheet } from "../pictures/picture.ts";
import type { LoadedEncoder } from "../weights/first-stage.ts";
import { signedInterval } from "./intervals.ts";

/** What stands in the results of figure 10. */
export interface Figure10 extends PeopleAttention, Provenance {
  figure: 10;
  weights: string;
  /** Share of a query's attention that goes where the mouth is: as the photos are, and with a patch of grey there. */
  mouth: { seen: Estimate; covered: Estimate; difference: Estimate };
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
  /** The same photos, their mouths hidden by a patch of grey. */
  covered: AttentionReport;
  glasses: boolean;
  /** How far the mouth is open, by landmarks, photo by photo; how far the head is turned, degrees. */
  mouths: number[];
  turned: number[];
}

/** What the encoder's queries look at in photos of some people of a set. */
export async function lookAtPeople(
  encoder: LoadedEncoder,
  {
    shards,
    ids,
    onProgress,
  }: { shards: ShardSet; ids: readonly string[]; onProgress: (done: number, all: number) => void },
): Promise<Looked[]> {
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
    const network = encoder.bundle.encoder;
    looked.push({
      report: attentionOf(network, used),
      covered: attentionOf(network, used, { change: coverMouth }),
      // Whoever wears glasses wears them in most pictures.
      glasses: record.images.some(({ caption }) => caption !== undefined && /\bglasses\b/.test(caption)),
      mouths: faces.map(openness),
      turned: faces.map(({ pose }) => Math.abs(pose.yaw)),
    });
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

/** How much each query of everybody looks at the mouth. */
function atMouth(looked: readonly Looked[], which: "report" | "covered"): number[][] {
  return looked.map((person) => {
    const { photos, queries } = person[which];
    const places = photos.map(({ place }) => place);
    return queries.map(({ query }) =>
      shareAtMouth(
        photos.map(({ maps }) => maps[query]),
        places,
      ),
    );
  });
}

/** Figures of all, with the claims that were written before: a query keeps to its place, and leaves what is hidden. */
export function figure10(
  looked: readonly Looked[],
  { provenance, weights, data }: { provenance: Provenance; weights: string; data: string | undefined },
): Figure10 {
  const attention = attentionOfPeople(looked.map(({ report }) => report));
  const told = (difference: Estimate) => signedInterval(difference, 3);
  const claim = "A query looks at the same part of the face whoever it is, more often than by chance";
  const [seen, covered] = [atMouth(looked, "report"), atMouth(looked, "covered")];
  const mouth = { seen: bootstrap(seen), covered: bootstrap(covered), difference: bootstrapDifference(seen, covered) };
  return {
    figure: 10,
    weights,
    ...attention,
    mouth,
    hypotheses: [
      { claim, answer: answerBy(attention.difference), by: told(attention.difference) },
      {
        claim: "Where the mouth is hidden, queries look there less than where it is seen",
        answer: answerBy(mouth.difference),
        by: told(mouth.difference),
      },
    ],
    data,
    ...provenance,
  };
}

/**
 * Photos in rows: of each of two people the one with the mouth open the widest, the one with it closed, and the one turned
 * the furthest, and the first of them with its mouth hidden; then somebody with glasses. In columns the queries that are
 * most local over all people.
 */
export async function saveFigure10(file: string, looked: readonly Looked[], figure: Figure10): Promise<void> {
  const over = figure.queries.map(({ query, entropy, betweenPeople, part }) => {
    const places = looked.map(({ report }) => report.queries[query].place);
    const middle = (axis: 0 | 1) => places.reduce((sum, place) => sum + place[axis], 0) / places.length;
    return { query, entropy, part, place: [middle(0), middle(1)] as const, spread: betweenPeople };
  });
  const chosen = chooseQueries(over, QUERIES);
  const row = ({ photos }: AttentionReport, photo: number): RgbImage[] => {
    const { crop, maps } = photos[photo];
    return [crop, ...chosen.map(({ query }) => overlay(crop, maps[query]))];
  };
  const rows = looked.slice(0, SHOWN).flatMap(({ report, covered, mouths, turned }) => {
    const shown = choose(mouths, turned);
    return [...shown.map((photo) => row(report, photo)), row(covered, shown[0])];
  });
  const other = looked.slice(SHOWN).find(({ glasses }) => glasses);
  if (other) rows.push(row(other.report, other.turned.indexOf(Math.min(...other.turned))));
  await saveSheet(file, {
    title: "Figure 10: what the encoder's queries look at",
    columns: ["photo", ...chosen.map(({ query, part }) => `query ${query}\n${part}`)],
    rows,
    notes: [
      `Of each person the photo with the mouth open the widest, the one with it closed, the one turned the furthest, and the first with its mouth hidden${other ? "; somebody with glasses" : ""}. Cross-attention block ${figure.block}, mean over heads.`,
      `Over ${figure.people} people and ${figure.photos} photos: a query looks at the same part as in most others in ${Math.round(100 * figure.agreement.mean)} % (${Math.round(100 * figure.shuffled.mean)} % by chance), mean entropy ${figure.entropy.mean.toFixed(2)}. Where the mouth is goes ${percent(figure.mouth.seen)} of the attention, and ${percent(figure.mouth.covered)} where it is hidden.`,
    ],
    tile: 144,
  });
}

const percent = ({ mean }: Estimate) => `${Math.round(100 * mean)} %`;

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
