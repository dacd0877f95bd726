import type { Preset } from "../presets/schema.ts";
import { ADAPTER_FILE, AUTOENCODER_FILE, CONTROL_FILE, FLUX_FILE, PROMPTS_FILE } from "../weights/flow.ts";
import { DECODER_FILE, ENCODER_FILE } from "../weights/folder.ts";
import { KNOWN_FILE } from "../weights/known-people.ts";

/** One weights file, as its card tells of it. */
export interface CardFacts {
  file: string;
  /** SHA-256 of the file. */
  hash: string;
  /** Bytes of the file. */
  size: number;
  /** Parameters in it. */
  parameters: number;
  dtype: string;
  preset: Preset;
  /** The file's metadata: how it was trained. */
  metadata: Readonly<Record<string, string>>;
}

/** The model card of a weights file, in Markdown. Its table of numbers is filled from `results` by a script. */
export function modelCard(facts: CardFacts): string {
  const { file, hash, size, parameters, dtype, preset, metadata } = facts;
  const told = (key: string) => metadata[key] ?? "not noted";
  const stage = [ENCODER_FILE, DECODER_FILE].includes(file) ? preset.mtd : preset.flow;
  const rows = [
    ["file", `\`${file}\`, ${(size / 1e6).toFixed(1)} MB, SHA-256 \`${hash}\``],
    ["parameters", `${parameters.toLocaleString("en")}, stored as ${dtype}`],
    [
      "preset",
      `${preset.name}: ℓ is ${preset.identity.tokens} × ${preset.identity.width}, ${stage.imageSize} px pictures`,
    ],
    [
      "training people",
      `${metadata.people ?? ""} ${metadata.data ? "rendered people" : "people"}; none of the validation and test people`.trim(),
    ],
    ["steps, seed, precision", `${told("steps")}, ${told("seed")}, ${told("precision")}`],
    ["loss", lossesOf(metadata.stage ?? "mtd", preset)],
    ["commit, date", `${told("commit")}, ${told("date")}`],
    ["time, hardware", `${told("hours")} hours; ${told("hardware")}, LibTorch ${told("libtorch")}`],
  ];
  const { title, about, numbers } =
    preset.flow.pictures === "scenes" && SCENE_CARDS[file] ? SCENE_CARDS[file] : CARDS[file];
  return `# ${title}

${about}

|  |  |
| --- | --- |
${rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}

## How it was made

\`\`\`
${metadata.data ? `npx ${metadata.data}` : "# shards of the trainer's own"}
npx ${metadata.command ?? "omni-id train mtd"}
npx omni-id export -o weights/${preset.name}${dtype === "int8" ? " --dtype int8" : ""}
\`\`\`
${metadata.history ? `\n${metadata.history}\n` : ""}
## Numbers

${numbers ? `<!-- numbers:${numbers} -->\n<!-- /numbers:${numbers} -->` : "What they can do, and what they cannot, is measured in `docs/scenes.md`."}

## Limits

${LIMITS.map((limit) => `- ${limit}`).join("\n")}
`;
}

const FLOW_FROZEN =
  "Trained from nothing on the rendered people, then frozen: it knows faces, and nobody in particular.";

interface Card {
  title: string;
  about: string;
  /** The table that a script fills in; none where the numbers stand elsewhere. */
  numbers?: "first-stage" | "generation";
}

const CARDS: Readonly<Record<string, Card>> = {
  [ENCODER_FILE]: {
    title: "Omni-ID encoder, nano",
    about: `Any number of photos of one person → one identity ℓ (sections 3.1 and 3.2 of the paper). The file holds E, what the
backbone gained in training, and mean and deviation of ℓ over the training people. The pretrained recogniser under it
(a MobileFaceNet, MIT) is not in the file: it is read from its npm package.`,
    numbers: "first-stage",
  },
  [DECODER_FILE]: {
    title: "Masked transformer decoder, nano",
    about: `Draws an identity into a picture of which it sees 5 % (section 3.3, decoder 1). It was trained together with the
encoder beside it and takes identities of that one only. In the paper it serves the training and is then left out; here
\`demo\`, \`reconstruct\` and \`evaluate\` use it to show what an identity holds.`,
    numbers: "first-stage",
  },
  [FLUX_FILE]: {
    title: "FLUX-nano, the flow base",
    about: `The FLUX transformer at nano size, by Black Forest Labs' keys (section 3.3, decoder 2). ${FLOW_FROZEN}`,
    numbers: "generation",
  },
  [AUTOENCODER_FILE]: {
    title: "Latents of the flow base, nano",
    about: "Principal directions of 8×8 patches of the training people, half whitened: the nano preset's autoencoder.",
    numbers: "generation",
  },
  [PROMPTS_FILE]: {
    title: "Words of the flow base, nano",
    about: "A learned vector a word, trained with the base; the vocabulary is in the file's metadata.",
    numbers: "generation",
  },
  [ADAPTER_FILE]: {
    title: "IP-Adapter, nano",
    about: `Tells the frozen flow base of an identity (section 3.3, decoder 2): decoupled attention by XLabs' keys and, not in the
paper, a vector in the modulation and tokens beside the text. It takes identities of the encoder beside it only.`,
    numbers: "generation",
  },
  [KNOWN_FILE]: {
    title: "What the decoders have met, nano",
    about: `The principal directions in which identities of the training people differ. Of photographs, which are of another kind
than the rendered people trained on, the part of ℓ in these directions is drawn: what lies beyond tears faces
(\`docs/real-photos.md\`). It takes identities of the encoder beside it only.`,
    numbers: "generation",
  },
  [CONTROL_FILE]: {
    title: "ControlNet on landmarks, nano",
    about: `Pose and expression from a picture of 68 landmarks (section 4.2), by XLabs' keys, with the mean face of the training
people in space (\`mean_face\`).`,
    numbers: "generation",
  },
};

/** What draws people in scenes (section 4.3). */
const SCENE_CARDS: Readonly<Record<string, Card>> = {
  [FLUX_FILE]: {
    title: "FLUX-nano of scenes, the flow base",
    about: `The FLUX transformer at nano size, by Black Forest Labs' keys, on whole pictures of 128 px that sentences tell of. Trained
on rendered people in scenes, first alone and then together with the adapter beside it, which tells it whom to draw.`,
  },
  [AUTOENCODER_FILE]: {
    title: "Latents of the scenes, nano",
    about: `Principal directions of patches of rendered scenes, half whitened, and a small network that sees the pictures of all
patches once more and mends their seams.`,
  },
  [PROMPTS_FILE]: {
    title: "Sentences of the scenes, nano",
    about:
      "A small transformer over the words of a sentence, trained with the base; the vocabulary is in the file's metadata.",
  },
  [ADAPTER_FILE]: {
    title: "IP-Adapter of scenes, nano",
    about: `Tells the base of scenes of an identity: whom to draw, while all else is told in words (section 4.3). It takes
identities of the encoder that ships in \`weights/nano\`.`,
  },
};

const LIMITS = [
  "The training people are rendered. Real faces mean something to the encoder because its backbone has seen photographs; what that is worth is measured in `docs/real-photos.md`.",
  "The decoders have only met rendered faces at a low resolution: what they draw of a real person is coarse and looks rendered.",
  "Origins, ages and hair are those of the body model: narrower than people are. No fairness was measured.",
  "Not made for deciding who somebody is: no access control, no surveillance. Use photos of people who agreed.",
];

/** Of one stage after the other: "mtd + flow". */
function lossesOf(stages: string, preset: Preset): string {
  return [...new Set(stages.split(" + ").map((stage) => lossOf(stage, preset)))].join("; then ");
}

function lossOf(stage: string, { mtd, flow }: Preset): string {
  if (stage === "base") return "flow matching, ε − x, on captions and the fixed prompt";
  if (stage === "control") return "flow matching, ε − x, in the pose of the landmarks";
  const through = "likeness through the backbone's recogniser";
  if (stage === "flow" || stage === "personalise") {
    const { likeness, encoderRate, baseRate } = flow.adapter;
    const more = likeness > 0 ? ` + ${likeness} × ${through} (not in the paper)` : ", as in the paper";
    return `flow matching, ε − x${more}; ${baseRate > 0 ? "base and adapter together, " : ""}encoder ${encoderRate > 0 ? `trained along at ${encoderRate} of the rate` : "frozen"}`;
  }
  const { loss, backboneRate } = mtd;
  const parts = [
    [through, loss.likeness],
    ["its inner map", loss.perceptual],
  ] as const;
  const more = parts.filter(([, weight]) => weight > 0).map(([what, weight]) => `${weight} × ${what}`);
  const backbone = backboneRate > 0 ? `fine-tuned at ${backboneRate} of the rate` : "frozen";
  const departs = more.length > 0 ? ` + ${more.join(" + ")} (not in the paper)` : ", as in the paper";
  return `L1 in the face mask${departs}; backbone ${backbone}`;
}
