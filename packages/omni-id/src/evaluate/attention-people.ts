import { bootstrap, bootstrapDifference, type Estimate, mean } from "@omni-id/data";
import type { Place } from "./attention-maps.ts";
import type { AttentionReport } from "./attention-report.ts";

/** A query over several people. */
export interface QueryOverPeople {
  query: number;
  /** The part of a face that it looks at in most people. */
  part: string;
  /** In what share of the people. */
  agreement: number;
  entropy: number;
  /** How far its middle moves between a person's photos, and between people's means; in distances from eyes to mouth. */
  withinPeople: number;
  betweenPeople: number;
}

/** Figure 10 in figures: whether a query looks at the same place whoever it is. */
export interface PeopleAttention {
  block: number;
  people: number;
  photos: number;
  /** Of all queries: 1 looks everywhere alike, 0 at one place. */
  entropy: Estimate;
  /** In what share of people a query looks at the part that it looks at in most of the others. */
  agreement: Estimate;
  /** The same where everybody's queries are counted from another one on: what agrees by chance. */
  shuffled: Estimate;
  difference: Estimate;
  /** Root mean square distances of middles: one query over people, and one person's queries. */
  betweenPeople: number;
  betweenQueries: number;
  queries: QueryOverPeople[];
}

/** @param reports one for each person, of the same encoder and block @throws for fewer than two people */
export function attentionOfPeople(reports: readonly AttentionReport[]): PeopleAttention {
  if (reports.length < 2) throw new RangeError(`${reports.length} people: whether a query keeps to a place takes two`);
  const count = reports[0].queries.length;
  const parts = reports.map(({ queries }) => queries.map(({ part }) => part));
  // Moved on by a number of queries of everybody's own: nobody's query meets the same one of somebody else.
  const moved = parts.map((own, person) => own.map((_, query) => own[(query + person) % count]));
  const agreement = agreementOf(parts);
  const shuffled = agreementOf(moved);
  const queries = Array.from({ length: count }, (_, query): QueryOverPeople => {
    const own = reports.map((report) => report.queries[query]);
    const part = most(own.map((focus) => focus.part));
    return {
      query,
      part,
      agreement: own.filter((focus) => focus.part === part).length / own.length,
      entropy: mean(own.map(({ entropy }) => entropy)),
      withinPeople: mean(own.map(({ spread }) => spread)),
      betweenPeople: scatter(own.map(({ place }) => place)),
    };
  });
  return {
    block: reports[0].block,
    people: reports.length,
    photos: reports.reduce((sum, { photos }) => sum + photos.length, 0),
    entropy: bootstrap(reports.map((report) => report.queries.map(({ entropy }) => entropy))),
    agreement: bootstrap(agreement),
    shuffled: bootstrap(shuffled),
    difference: bootstrapDifference(agreement, shuffled),
    betweenPeople: mean(queries.map(({ betweenPeople }) => betweenPeople)),
    betweenQueries: mean(reports.map((report) => scatter(report.queries.map(({ place }) => place)))),
    queries,
  };
}

/** Of everybody and each query: 1 where it looks at the part that it looks at in most of the others. */
function agreementOf(parts: readonly (readonly string[])[]): number[][] {
  return parts.map((own, person) =>
    own.map((part, query) => {
      const others = parts.filter((_, other) => other !== person).map((some) => some[query]);
      return Number(most(others) === part);
    }),
  );
}

/** The most frequent one; of several the first by name. */
function most(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of [...names].sort()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** Root mean square distance of places from their middle. */
function scatter(places: readonly Place[]): number {
  const [x, y] = [0, 1].map((axis) => mean(places.map((place) => place[axis])));
  return Math.sqrt(mean(places.map((place) => (place[0] - x) ** 2 + (place[1] - y) ** 2)));
}
