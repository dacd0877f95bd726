import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import Type from "typebox";
import { CompareAnswer, CompareRequest, EncodeAnswer, Failure, IdentityId, IdentityInfo } from "../api.ts";
import { answerJob } from "./answer.ts";
import { Refused } from "./guard.ts";
import { pngAddress } from "./pictures.ts";
import type { Services } from "./services.ts";
import { readUpload } from "./uploads.ts";

const Id = Type.Object({ id: IdentityId });
const failures = { "4xx": Failure, "5xx": Failure };

/** Photos to identities, and what is done with these. */
export const identityRoutes =
  ({ store, queue, budget, limits, comparison }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      "/identities",
      { schema: { summary: "Identities at hand", response: { 200: Type.Array(IdentityInfo), ...failures } } },
      async () => store.list(),
    );

    app.post(
      "/identities",
      {
        schema: {
          summary: "Photos of one person to an identity",
          description:
            "A form with the field `name` and one file a photo. Photos without a usable face are refused one by one, with " +
            "the reason. One identity file (.safetensors) in place of photos is taken up as it is. With " +
            "`Accept: text/event-stream` events tell how far it is: queued, progress, result, failed.",
          consumes: ["multipart/form-data"],
          response: { 200: EncodeAnswer, ...failures },
        },
        preParsing: async () => queue.checkRoom(),
      },
      async (request, reply) => {
        const share = budget.open();
        try {
          const { files, fields } = await readUpload(request, limits, share);
          const name = [...(fields.name ?? "")].slice(0, 100).join("").trim();
          if (files.length === 0) throw new Refused(422, "no photos in the form; add at least one photo of the person");
          if (files[0].name.endsWith(".safetensors")) {
            const { info } = store.import(name ? `${name}.safetensors` : files[0].name, files[0].bytes);
            return { identity: info, used: [], refused: [], warnings: [] };
          }
          return await answerJob(request, reply, async (following) => {
            const { values, used, refused, warnings } = await queue.run("encode", { photos: files }, following);
            const { info } = store.add(name || "person", values);
            return {
              identity: info,
              used: used.map(({ face, ...one }) => ({ ...one, face: pngAddress(face) })),
              refused,
              warnings,
            };
          });
        } finally {
          share.release();
        }
      },
    );

    app.get(
      "/identities/:id/file",
      { schema: { summary: "The identity file, as every command of omni-id reads it", params: Id } },
      async ({ params: { id } }, reply) => {
        const { bytes } = store.get(id);
        return reply
          .header("content-disposition", `attachment; filename="${id}.safetensors"`)
          .type("application/octet-stream")
          .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      },
    );

    app.put(
      "/identities/:id/saved",
      {
        schema: {
          summary: "Save an identity in the folder that the studio was started with",
          params: Id,
          response: { 200: IdentityInfo, ...failures },
        },
      },
      async ({ params: { id } }) => store.save(id).info,
    );

    app.delete(
      "/identities/:id",
      {
        schema: {
          summary: "Forget an identity; its file is removed too, if it was saved",
          params: Id,
          response: { 204: Type.Null(), ...failures },
        },
      },
      async ({ params: { id } }, reply) => {
        store.remove(id);
        return reply.code(204).send(null);
      },
    );

    app.post(
      "/compare",
      {
        schema: {
          summary: "How alike two identities are",
          body: CompareRequest,
          response: { 200: CompareAnswer, ...failures },
        },
      },
      async ({ body: { a, b } }) => {
        const compare = await comparison();
        const [one, two] = [a, b].map((id) => {
          const { values, info } = store.get(id);
          if (values.encoder.hash !== compare.hash) {
            throw new Refused(422, `${info.name}: made by another encoder; encode the photos again`);
          }
          return values;
        });
        return { similarity: compare.similarity(one, two) };
      },
    );
  };
