import { cat, noGrad, scope, type Tensor } from "@omni-id/torch";
import { drawPictures } from "../generate/draw.ts";
import type { FaceGenerator } from "../generate/face-generator.ts";
import { chunk } from "../people/chunk.ts";
import { encodeRows } from "../people/encode-rows.ts";
import type { People } from "../people/people.ts";
import { landmarkPictures } from "../pictures/landmark-pictures.ts";
import type { DrawnPictures } from "./drawn-pictures.ts";
import { type Generated, type GenerationTask, rowsOf } from "./generation-protocol.ts";

/** What all pictures of a measurement have in common. */
export interface DrawTasks {
  generator: FaceGenerator;
  people: People;
  tasks: readonly GenerationTask[];
  steps: number;
  seed: number;
  drawn: DrawnPictures;
}

const AT_ONCE = 44;

/** ℓ of every task under every condition that has one, `[tasks, L, C]`. */
export function identitiesOf({
  generator: { encoder },
  people,
  tasks,
}: Pick<DrawTasks, "generator" | "people" | "tasks">): Record<Exclude<Generated, "bareBase">, Tensor> {
  const { bundle } = encoder;
  return scope(() =>
    noGrad(() => {
      const from = (count: number) =>
        cat(
          chunk([...tasks], AT_ONCE).map((some) =>
            encodeRows(
              bundle.encoder,
              people,
              some.flatMap(({ inputs }) => inputs.slice(0, count)),
              some.length,
            ).float(),
          ),
        );
      const three = from(3);
      const removed = bundle.identity_mean.repeat([three.shape[1] / bundle.identity_mean.shape[0], 1]);
      const perTask = tasks.length / (people.ids.length * 4);
      const others = tasks.map(({ other }) => other * perTask);
      return {
        1: from(1),
        3: three,
        5: from(5),
        identityRemoved: removed.unsqueeze(0).expand(three.shape).contiguous(),
        otherIdentity: rowsOf(three, others),
      };
    }),
  );
}

/** One picture a task, `[tasks, 3, S, S]`; the same noise whatever the identity. */
export function drawTasks(
  { generator, people, tasks, steps, seed, drawn }: DrawTasks,
  identities: Tensor | undefined,
  { landmarks, guidance }: { landmarks: boolean; guidance: number },
): Tensor {
  const { base, decoder, imageSize } = generator;
  return scope(() =>
    noGrad(() => {
      const parts = chunk([...tasks.keys()], AT_ONCE).map((some, part) =>
        scope(() => {
          const given = identities && rowsOf(identities, some);
          const lines = landmarks
            ? landmarkPictures(people.landmarksOf(some.map((task) => tasks[task].target)), imageSize)
            : undefined;
          const settings = {
            count: some.length,
            seed: seed * 1000 + part,
            steps,
            prompt: base.preset.flow.prompt,
            guidance: identities ? guidance : 1,
          };
          return drawn.kept(
            [settings, Boolean(given), Boolean(lines)],
            [given, lines].filter((tensor) => tensor !== undefined),
            () => {
              const conditions = given && decoder.conditions(given);
              return drawPictures(base.base, {
                ...settings,
                conditions,
                control: lines && generator.control.steer(lines),
              });
            },
          );
        }),
      );
      return cat(parts);
    }),
  );
}
