import type { Preset } from "../presets/schema.ts";
import { DECODER_FILE, ENCODER_FILE } from "../weights-folder.ts";

/** One weights file, as its card tells of it. */
export interface CardFacts {
  file: typeof ENCODER_FILE | typeof DECODER_FILE;
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
  const rows = [
    ["file", `\`${file}\`, ${(size / 1e6).toFixed(1)} MB, SHA-256 \`${hash}\``],
    ["parameters", `${parameters.toLocaleString("en")}, stored as ${dtype}`],
    [
      "preset",
      `${preset.name}: ℓ is ${preset.identity.tokens} × ${preset.identity.width}, ${preset.imageSize} px targets`,
    ],
    ["training people", `${told("people")} rendered people; none of the 44 validation and 44 test people`],
    ["steps, seed, precision", `${told("steps")}, ${told("seed")}, ${told("precision")}`],
    ["loss", lossOf(preset)],
    ["commit, date", `${told("commit")}, ${told("date")}`],
    ["time, hardware", `${told("hours")} hours; ${told("hardware")}, LibTorch ${told("libtorch")}`],
  ];
  return `# ${TITLES[file]}

${ABOUT[file]}

|  |  |
| --- | --- |
${rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}

## How it was made

\`\`\`
${metadata.data ? `npx ${metadata.data}` : "# shards of the trainer's own"}
npx ${metadata.command ?? "omni-id train mtd"}
npx omni-id export -o weights/nano
\`\`\`

## Numbers

<!-- numbers:first-stage -->
<!-- /numbers:first-stage -->

## Limits

${LIMITS.map((limit) => `- ${limit}`).join("\n")}
`;
}

const TITLES = {
  [ENCODER_FILE]: "Omni-ID encoder, nano",
  [DECODER_FILE]: "Masked transformer decoder, nano",
} as const;

const ABOUT = {
  [ENCODER_FILE]: `Any number of photos of one person → one identity ℓ (sections 3.1 and 3.2 of the paper). The file holds E, what the
backbone gained in training, and mean and deviation of ℓ over the training people, by which identities are compared.
The pretrained recogniser under it (a MobileFaceNet, MIT) is not in the file: it is read from its npm package.`,
  [DECODER_FILE]: `Draws an identity into a picture of which it sees 5 % (section 3.3, decoder 1). It was trained together with the
encoder beside it and takes identities of that one only. In the paper it serves the training and is then left out; here
\`demo\`, \`reconstruct\` and \`evaluate\` use it to show what an identity holds.`,
} as const;

const LIMITS = [
  "The training people are rendered. Real faces mean something to the encoder because its backbone has seen photographs; what that is worth is measured in `docs/real-photos.md`.",
  "The decoder has only met rendered faces at a low resolution: what it draws of a real person is coarse and looks rendered.",
  "Origins, ages and hair are those of the body model: narrower than people are. No fairness was measured.",
  "Not made for deciding who somebody is: no access control, no surveillance. Use photos of people who agreed.",
];

function lossOf({ mtd: { loss, backboneRate } }: Preset): string {
  const parts = [
    ["likeness through the backbone's recogniser", loss.likeness],
    ["its inner map", loss.perceptual],
    ["recognition read from ℓ", loss.recognition],
  ] as const;
  const more = parts.filter(([, weight]) => weight > 0).map(([what, weight]) => `${weight} × ${what}`);
  const backbone = backboneRate > 0 ? `fine-tuned at ${backboneRate} of the rate` : "frozen";
  const departs = more.length > 0 ? ` + ${more.join(" + ")} (not in the paper)` : ", as in the paper";
  return `L1 in the face mask${departs}; backbone ${backbone}`;
}
