import Type, { type Static } from "typebox";

/**
 * What the studio's server takes and gives, once: Fastify checks requests by these schemas, the OpenAPI description is
 * made of them, and the page takes its types from here.
 */

const text = (description: string, most = 200) => Type.String({ description, maxLength: most });

/** How an identity is named in addresses and requests. */
export const ID_PATTERN = "^[a-z0-9][a-z0-9-]{0,79}$";
export const IdentityId = Type.String({ pattern: ID_PATTERN, description: "as a list of them tells" });

/** Identities that one request may mix. */
export const MOST_MIXED = 8;
/** Pictures that one request may ask for. */
export const MOST_PICTURES = 16;
export const MOST_STEPS = 100;

export const Pose = Type.Object({
  yaw: Type.Number({ minimum: -75, maximum: 75, description: "degrees to the picture's right" }),
  pitch: Type.Number({ minimum: -45, maximum: 45, description: "degrees up" }),
});
export type Pose = Static<typeof Pose>;

export const IdentityInfo = Type.Object({
  id: IdentityId,
  name: text("what a person calls it"),
  photos: Type.Integer({ description: "how many photos it was made of" }),
  created: text("ISO time"),
  encoder: text("SHA-256 of the encoder that made it"),
  pictures: Type.Optional(
    Type.Union([Type.Literal("trained"), Type.Literal("other")], {
      description:
        "whether its photos are of the kind that the weights were trained on; absent where it cannot be told",
    }),
  ),
  saved: Type.Boolean({ description: "whether it lies in the folder of identities" }),
});
export type IdentityInfo = Static<typeof IdentityInfo>;

const Picture = Type.String({ description: "a PNG as a data: address" });

export const EncodeAnswer = Type.Object({
  identity: IdentityInfo,
  used: Type.Array(
    Type.Object({
      photo: text("its file's name"),
      face: Picture,
      quality: Type.Number({ description: "0 to 1" }),
      pose: Type.Object({ yaw: Type.Number(), pitch: Type.Number(), roll: Type.Number() }),
    }),
  ),
  refused: Type.Array(Type.Object({ photo: text("its file's name"), reason: text("why", 1000) })),
  warnings: Type.Array(text("what a person should know", 1000)),
});
export type EncodeAnswer = Static<typeof EncodeAnswer>;

export const CompareRequest = Type.Object({ a: IdentityId, b: IdentityId }, { additionalProperties: false });
export const CompareAnswer = Type.Object({
  similarity: Type.Number({ description: "-1 to 1, higher for the same person" }),
});

export const GenerateRequest = Type.Object(
  {
    identities: Type.Array(
      Type.Object({ id: IdentityId, share: Type.Number({ minimum: 0, maximum: 1 }) }, { additionalProperties: false }),
      { maxItems: MOST_MIXED, description: "none draws anybody; several are mixed by their shares" },
    ),
    pose: Type.Optional(Pose),
    expression: Type.Optional(text("one of those that /api/about lists", 40)),
    landmarks: Type.Optional(
      Type.Array(Type.Number({ minimum: -10_000, maximum: 10_000 }), {
        minItems: 136,
        maxItems: 136,
        description: "pose and expression as /api/landmarks gives them, in place of the two above",
      }),
    ),
    prompt: Type.Optional(text("what else the picture shows", 500)),
    count: Type.Integer({ minimum: 1, maximum: MOST_PICTURES, default: 4 }),
    seed: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 }),
    steps: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_STEPS })),
    guidance: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 20 })),
    preview: Type.Optional(Type.Boolean({ description: "send the pictures after each step, as far as they are" })),
  },
  { additionalProperties: false },
);
export type GenerateRequest = Static<typeof GenerateRequest>;

export const GenerateAnswer = Type.Object({
  pictures: Type.Array(Picture),
  unknownWords: Type.Array(Type.String({ description: "words of the prompt that the model does not know" })),
});
export type GenerateAnswer = Static<typeof GenerateAnswer>;

export const ReconstructAnswer = Type.Object({
  target: Picture,
  visible: Picture,
  made: Type.Array(
    Type.Object({
      id: IdentityId,
      picture: Picture,
      l1: Type.Number({ description: "mean absolute difference in the face, pixels 0 to 1" }),
    }),
  ),
});
export type ReconstructAnswer = Static<typeof ReconstructAnswer>;

export const AttentionAnswer = Type.Object({
  block: Type.Integer(),
  side: Type.Integer({ description: "a map has side x side places" }),
  placed: Type.Number({ description: "share of all attention that went to places of the photos" }),
  photos: Type.Array(
    Type.Object({ photo: text("its file's name"), crop: Picture, maps: Type.Array(Type.Array(Type.Number())) }),
  ),
  queries: Type.Array(
    Type.Object({
      query: Type.Integer(),
      entropy: Type.Number({ description: "1 looks everywhere alike, 0 at one place" }),
      spread: Type.Number({ description: "how far its middle moves between photos, in distances from eyes to mouth" }),
      part: text("the part of the face that is nearest"),
      place: Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }),
    }),
  ),
});
export type AttentionAnswer = Static<typeof AttentionAnswer>;

export const LandmarksAnswer = Type.Object({ landmarks: Type.Array(Type.Number()) });
export type LandmarksAnswer = Static<typeof LandmarksAnswer>;

export const About = Type.Object({
  version: Type.String(),
  encoder: text("name of the encoder"),
  hash: text("SHA-256 of its weights"),
  canDraw: Type.Boolean({ description: "whether the weights hold a flow model" }),
  imageSize: Type.Integer(),
  guidance: Type.Number({ description: "where a request says nothing else" }),
  realGuidance: Type.Number({ description: "what suits identities of real photographs" }),
  steps: Type.Integer(),
  words: Type.Array(Type.String({ description: "a word that prompts may have" })),
  expressions: Type.Array(Type.String()),
  folder: Type.Union([Type.String(), Type.Null()], { description: "where identities are saved; null: nowhere" }),
  limits: Type.Object({
    photos: Type.Integer({ description: "photos a request" }),
    photoBytes: Type.Integer(),
    requestBytes: Type.Integer(),
  }),
});
export type About = Static<typeof About>;

export const Failure = Type.Object({ error: Type.String({ description: "what went wrong, for a person" }) });

/** What a request that takes a while tells on the way, where it is asked for as `text/event-stream`. */
export interface JobEvents<Answer> {
  queued: { job: string; place: number };
  progress: { done: number; total: number; pictures?: string[] };
  result: Answer;
  failed: { error: string; status: number };
}
