import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import {
  AttentionAnswer,
  Failure,
  GenerateAnswer,
  GenerateRequest,
  ID_PATTERN,
  LandmarksAnswer,
  MOST_MIXED,
  ReconstructAnswer,
} from "../api.ts";
import type { NamedIdentity, PhotoBytes } from "../engine/tasks.ts";
import { answerJob } from "./answer.ts";
import { Refused } from "./guard.ts";
import { pngAddress } from "./pictures.ts";
import type { Services } from "./services.ts";
import { readUpload } from "./uploads.ts";

const failures = { "4xx": Failure, "5xx": Failure };
const FORM = ["multipart/form-data"];

/** Pictures from identities, and what the encoder looks at. */
export const pictureRoutes =
  ({ store, queue, budget, limits }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    const identity = (id: string, share = 1): NamedIdentity => {
      const { values, info } = store.get(id);
      return { id, name: info.name, values, share };
    };
    const preParsing = async () => queue.checkRoom();
    /** A form's photos; their memory is given back after the work. */
    const withForm = async <T>(
      request: Parameters<typeof readUpload>[0],
      work: (files: PhotoBytes[], fields: Record<string, string>) => Promise<T>,
    ): Promise<T> => {
      const share = budget.open();
      try {
        const { files, fields } = await readUpload(request, limits, share);
        if (files.length === 0) throw new Refused(422, "no photo in the form");
        return await work(files, fields);
      } finally {
        share.release();
      }
    };

    app.post(
      "/generate",
      {
        schema: {
          summary: "New pictures of a person, or of several mixed",
          description:
            "The same seed gives the same pictures. With `Accept: text/event-stream` events tell of each step.",
          body: GenerateRequest,
          response: { 200: GenerateAnswer, ...failures },
        },
        preParsing,
      },
      (request, reply) =>
        answerJob(request, reply, async (following) => {
          const { identities, ...asked } = request.body;
          const total = identities.reduce((sum, { share }) => sum + share, 0);
          if (identities.length > 0 && total <= 0) throw new Refused(422, "give at least one identity a share above 0");
          const named = identities.map(({ id, share }) => identity(id, share));
          const answer = await queue.run("generate", { ...asked, identities: named }, following);
          return { ...answer, pictures: answer.pictures.map(pngAddress) };
        }),
    );

    app.post(
      "/reconstruct",
      {
        schema: {
          summary: "Draw identities into a photo of which the decoder sees 5 %",
          description: "A form: the photo, `identities` (names with commas between them), and `seed` of the mask.",
          consumes: FORM,
          response: { 200: ReconstructAnswer, ...failures },
        },
        preParsing,
      },
      (request, reply) =>
        withForm(request, ([photo], fields) => {
          const ids = (fields.identities ?? "").split(",").filter((id) => new RegExp(ID_PATTERN).test(id));
          const seed = Number(fields.seed ?? 7);
          if (ids.length === 0 || ids.length > MOST_MIXED) throw new Refused(422, `name 1 to ${MOST_MIXED} identities`);
          if (!Number.isSafeInteger(seed) || seed < 0) throw new Refused(422, "the seed is no whole number");
          return answerJob(request, reply, async (following) => {
            const asked = { photo, seed, identities: ids.map((id) => identity(id)) };
            const { target, visible, made } = await queue.run("reconstruct", asked, following);
            return {
              target: pngAddress(target),
              visible: pngAddress(visible),
              made: made.map(({ picture, ...one }) => ({ ...one, picture: pngAddress(picture) })),
            };
          });
        }),
    );

    app.post(
      "/landmarks",
      {
        schema: {
          summary: "Pose and expression of the face that a photo is of",
          consumes: FORM,
          response: { 200: LandmarksAnswer, ...failures },
        },
        preParsing,
      },
      (request, reply) =>
        withForm(request, ([photo]) =>
          answerJob(request, reply, (following) => queue.run("landmarks", { photo }, following)),
        ),
    );

    app.post(
      "/attention",
      {
        schema: {
          summary: "What each query of the encoder looks at in photos of one person (figure 10)",
          description: "A form with the photos and, if another block than the last one is meant, `block` (from 1).",
          consumes: FORM,
          response: { 200: AttentionAnswer, ...failures },
        },
        preParsing,
      },
      (request, reply) =>
        withForm(request, (photos, fields) => {
          const block = fields.block === undefined ? undefined : Number(fields.block);
          return answerJob(request, reply, async (following) => {
            const answer = await queue.run("attention", { photos, block }, following);
            return {
              ...answer,
              photos: answer.photos.map(({ crop, ...one }) => ({ ...one, crop: pngAddress(crop) })),
              queries: answer.queries.map((query) => ({ ...query, place: [...query.place] as [number, number] })),
            };
          });
        }),
    );
  };
