import { noGrad, scope, type Tensor } from "@omni-id/torch";
import { encodeTasks } from "../../evaluate/reconstruct.ts";
import { atLeast } from "../../few-to-many.ts";
import type { FlowBase } from "../../flow-base.ts";
import { drawScene } from "../../generate/draw-scene.ts";
import type { People } from "../../people/people.ts";
import { saveSheet, toRgb } from "../../pictures/picture.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { FlowPreset } from "../../presets/schema.ts";
import { facesAlone } from "../face-weights.ts";
import { figuresLine } from "../figures-line.ts";
import { identityErrors } from "../flow/identity-errors.ts";
import type { FlowModel } from "../flow/stage.ts";
import { peopleLayout } from "../people-layout.ts";
import { peopleTokens } from "../people-tokens.ts";
import type { HeldOutReport } from "../stage.ts";

/** People of validation: the scenes that are to be drawn, and the photos that they are drawn from. */
export interface HeldOutScenes {
  scenes: People;
  photos: People;
}

const SHOWN = 8;

/** The wording of a scene that says what is worn and where it is, and nothing of how the person looks. */
const WORDING = 1;

/**
 * Errors of faces with the right identity, with the next person's and with none, all told the scene's own words; and a sheet:
 * two photos, a scene of the same person, what is drawn by its words with the identity, with the next person's, with none.
 */
export function reportOn(
  { model, base, preset }: { model: FlowModel; base: FlowBase; preset: FlowPreset },
  { scenes, photos }: HeldOutScenes,
  step: number,
): HeldOutReport {
  return noGrad(() => {
    const people = [...scenes.ids.keys()];
    const rows = people.map((person) => scenes.row(person, 0));
    const prompts = rows.map((row) => scenes.wordings[row]?.[WORDING] ?? (scenes.captions[row] || preset.prompt));
    const tasks = people.map((person) => ({ inputs: atLeast(photos.rowsOf(person).slice(0, 3), 3) }));
    const right = scope(() => encodeTasks(model.encoder, photos, tasks, 3)).keep();
    const other = scope(() => right.roll([-1], [0])).keep();
    const x = scope(() => peopleTokens(base, scenes, rows));
    const weights = facesAlone(scenes, rows, base.patchSize);
    const layout = peopleLayout(base, scenes, rows);
    const metrics = identityErrors({ base, decoder: model.decoder }, { x, prompts, right, other, layout, weights });
    const shown = people.slice(0, SHOWN);
    const { text, classifierFree: identity } = preset.guidance;
    const draw = (identities: Tensor | undefined) =>
      scope(() =>
        drawScene(base, {
          pictures: shown.map((person) => ({ prompt: prompts[person], seed: 1, number: person })),
          negative: preset.prompt,
          guidance: { text, identity },
          conditions: identities && model.decoder.conditions(identities.narrow(0, 0, shown.length)),
          layout: layout?.narrow(0, 0, shown.length),
        })
          .unbind(0)
          .map(toRgb),
      );
    const real = (of: People, row: (person: number) => number) =>
      scope(() =>
        toUnit(of.cropsOf(shown.map(row)))
          .unbind(0)
          .map(toRgb),
      );
    const columns = [
      ...[0, 1].map((image) => real(photos, (person) => tasks[person].inputs[image])),
      real(scenes, (person) => rows[person]),
      ...[right, other, undefined].map(draw),
    ];
    right.dispose();
    other.dispose();
    for (const tensor of [x, weights, layout]) tensor?.dispose();
    const picture = (file: string) =>
      saveSheet(file, {
        title: `step ${step}`,
        columns: ["input 1", "input 2", "a scene", "its words,\n3 photos", "somebody\nelse", "nobody"],
        rows: shown.map((_, row) => columns.map((column) => column[row])),
        notes: [figuresLine(metrics)],
        tile: 128,
      });
    return { metrics, picture };
  });
}
