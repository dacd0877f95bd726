import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import Type from "typebox";
import { entriesOf, listRuns, readRun } from "../disk/runs.ts";
import { listSets, OpenSets, type SetInfo } from "../disk/sets.ts";
import { Refused } from "./guard.ts";
import type { Services } from "./services.ts";

const Name = Type.String({ maxLength: 500 });

/**
 * Views of what is on the disk. A name in a request is looked up in the list of what was found in the folders that were
 * named at the start, and never joined to a path before: nothing else can be reached.
 */
export const diskRoutes =
  ({ places }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    const sets = new OpenSets();
    const knownRun = (name: string) => {
      if (!listRuns(places.runs).some((run) => run.name === name)) throw new Refused(404, `no training "${name}"`);
      return name;
    };
    const knownSet = (name: string): SetInfo => {
      const set = listSets(places.sets).find((one) => one.name === name);
      if (!set) throw new Refused(404, `no set "${name}"`);
      return set;
    };

    app.get("/runs", { schema: { summary: "Trainings under the folder of runs" } }, async () => listRuns(places.runs));
    app.get(
      "/runs/curves",
      {
        schema: {
          summary: "A training's log, and its pictures of held-out people",
          querystring: Type.Object({ run: Name }),
        },
      },
      async ({ query: { run } }) => readRun(places.runs, knownRun(run)),
    );
    app.get(
      "/runs/picture",
      { schema: { summary: "One of these pictures", querystring: Type.Object({ run: Name, file: Name }) } },
      async ({ query: { run, file } }, reply) => {
        const { pictures } = readRun(places.runs, knownRun(run));
        if (!pictures.includes(file)) throw new Refused(404, `no picture "${file}"`);
        return reply.type("image/png").send(readFileSync(join(places.runs, run, file)));
      },
    );

    app.get("/sets", { schema: { summary: "Sets of people" } }, async () =>
      listSets(places.sets).map(({ folder: _, ...set }) => set),
    );
    app.get(
      "/sets/people",
      {
        schema: {
          summary: "People of a set, and what is known of their pictures",
          querystring: Type.Object({
            set: Name,
            from: Type.Integer({ minimum: 0, default: 0 }),
            count: Type.Integer({ minimum: 1, maximum: 50, default: 12 }),
          }),
        },
      },
      async ({ query: { set, from, count } }) => {
        const { total, people } = await sets.people(knownSet(set), from, count);
        return {
          total,
          people: people.map(({ id, source, attributes, images }) => ({
            id,
            source,
            attributes,
            images: images.map(({ pose, caption, quality, from: origin }) => ({
              pose,
              caption,
              quality,
              from: origin,
            })),
          })),
        };
      },
    );
    app.get(
      "/sets/picture",
      {
        schema: {
          summary: "One picture of a person",
          querystring: Type.Object({ set: Name, id: Name, index: Type.Integer({ minimum: 0 }) }),
        },
      },
      async ({ query: { set, id, index } }, reply) => {
        const bytes = await sets.picture(knownSet(set), id, index);
        if (!bytes) throw new Refused(404, `no picture ${index} of "${id}"`);
        return reply.type("image/jpeg").send(Buffer.from(bytes));
      },
    );

    const results = () =>
      entriesOf(places.results)
        .filter((entry) => entry.isFile() && /\.(json|png)$/.test(entry.name))
        .map((entry) => entry.name)
        .sort();
    app.get("/results", { schema: { summary: "What the commands measured: names of files" } }, async () => results());
    app.get(
      "/results/file",
      { schema: { summary: "One of these files", querystring: Type.Object({ name: Name }) } },
      async ({ query: { name } }, reply) => {
        if (!results().includes(name)) throw new Refused(404, `no result "${name}"`);
        const type = name.endsWith(".json") ? "application/json" : "image/png";
        return reply.type(type).send(readFileSync(join(places.results, name)));
      },
    );
  };
