import { mean } from "@omni-id/data/plain";

/** Where a query looks, from its attention over the places of each photo (figure 10). Plain numbers, no model. */

/** Attention of one query over the places of one photo, `side · side` weights, row by row. */
export type PlaceWeights = ArrayLike<number>;

/** A point of a crop, 0…1 from its left upper corner. */
export type Place = readonly [x: number, y: number];

/** How a query looks at faces. */
export interface QueryFocus {
  query: number;
  /** Entropy of its weights over log(places), the mean over photos: 0 looks at one place, 1 at all alike. */
  entropy: number;
  /** Middle of what it looks at, the mean over photos: from between the eyes, in distances from there to the mouth. */
  place: Place;
  /** How far the photos' own middles lie from that, root mean square, in the same unit. */
  spread: number;
  /** The part of a face that lies nearest. */
  part: string;
}

/** Entropy of weights that need not sum to 1, over that of equal ones: 0…1. */
export function relativeEntropy(weights: PlaceWeights): number {
  const all = Array.from(weights);
  const total = all.reduce((sum, weight) => sum + weight, 0);
  const entropy = all.reduce(
    (sum, weight) => (weight > 0 ? sum - (weight / total) * Math.log(weight / total) : sum),
    0,
  );
  return entropy / Math.log(all.length);
}

/** Centre of gravity of weights over a square grid. */
export function centre(weights: PlaceWeights): Place {
  const side = Math.sqrt(weights.length);
  let [total, x, y] = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    total += weights[i];
    x += weights[i] * ((i % side) + 0.5);
    y += weights[i] * (Math.floor(i / side) + 0.5);
  }
  return [x / total / side, y / total / side];
}

/** Where a face stands in its crop. */
export interface FacePlace {
  /** Between the eyes. */
  eyes: Place;
  /** Between the corners of the mouth. */
  mouth: Place;
}

/** Parts of a face, from between the eyes, in distances from there to the mouth; the person's left is the picture's right. */
const PARTS: Readonly<Record<string, Place>> = {
  "right eye": [-0.43, 0],
  "left eye": [0.43, 0],
  forehead: [0, -0.6],
  nose: [0, 0.5],
  mouth: [0, 1],
  chin: [0, 1.5],
  "right cheek": [-0.65, 0.65],
  "left cheek": [0.65, 0.65],
};

/**
 * What each query looks at over several photos.
 * @param maps for each photo the weights of each query
 * @param faces for each photo where the face stands in the crop; crops are upright
 */
export function queryFocus(maps: readonly (readonly PlaceWeights[])[], faces: readonly FacePlace[]): QueryFocus[] {
  return maps[0].map((_, query) => {
    const entropy = mean(maps.map((photo) => relativeEntropy(photo[query])));
    const places = maps.map((photo, i) => onFace(centre(photo[query]), faces[i]));
    const place: Place = [mean(places.map(([x]) => x)), mean(places.map(([, y]) => y))];
    const spread = Math.sqrt(mean(places.map((one) => distance(one, place) ** 2)));
    const [part] = Object.entries(PARTS).sort(([, a], [, b]) => distance(a, place) - distance(b, place))[0];
    return { query, entropy, place, spread, part };
  });
}

/** The most local queries that keep to their place (least entropy and spread), of which no two look at nearly the same one. */
export function chooseQueries(all: readonly QueryFocus[], count: number, { apart = 0.4 } = {}): QueryFocus[] {
  const sorted = [...all].sort((a, b) => a.entropy + a.spread - b.entropy - b.spread);
  const chosen: QueryFocus[] = [];
  for (const focus of sorted) {
    if (chosen.length < count && chosen.every((other) => distance(other.place, focus.place) >= apart))
      chosen.push(focus);
  }
  return [...chosen, ...sorted.filter((focus) => !chosen.includes(focus)).slice(0, count - chosen.length)];
}

/** A point of the crop on the face: from between the eyes, in distances from there to the mouth. */
function onFace([x, y]: Place, { eyes, mouth }: FacePlace): Place {
  const unit = distance(eyes, mouth);
  return [(x - eyes[0]) / unit, (y - eyes[1]) / unit];
}

const distance = (a: Place, b: Place) => Math.hypot(a[0] - b[0], a[1] - b[1]);
