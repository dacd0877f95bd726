import { describe, expect, it } from "vitest";
import { hairOf } from "../src/synth/caption.ts";
import { drawPerson } from "../src/synth/person.ts";
import { describeScene } from "../src/synth/scenes/scene-caption.ts";
import { drawSceneView } from "../src/synth/scenes/scene-view.ts";
import {
  neverTogether,
  readFraming,
  readSceneWords,
  SCENE_WORDS,
  type SceneGroup,
} from "../src/synth/scenes/scene-words.ts";

describe("what a sentence says of a scene", () => {
  it("is read off the fullest caption just as it was drawn, and off the shorter ones nothing else", () => {
    for (let seed = 0; seed < 400; seed++) {
      const person = drawPerson(1, seed);
      const view = drawSceneView(person, seed % 6, { heldOut: [] });
      const { truth } = view;
      const captions = describeScene(person, view);
      const read = readSceneWords(captions[0], { whole: true });
      const { garment, garmentColour, pattern, hat, expression, place, light } = truth;
      expect(read, captions[0]).toMatchObject({ garment, garmentColour, pattern, hat, expression, place, light });
      expect(read.hatColour ?? "none").toBe(truth.hatColour);
      expect(read.glasses === "glasses").toBe(truth.glasses);
      expect(`${read.hairLength} ${read.hairColour} hair`.replace("bald undefined hair", "a bald head")).toBe(
        hairOf(person),
      );
      for (const [group, word] of Object.entries(read))
        expect(SCENE_WORDS[group as SceneGroup] as readonly string[]).toContain(word);
      for (const caption of captions.slice(1)) expect(read).toMatchObject(readSceneWords(caption));
    }
  });

  it("is nothing where nothing is said; a sun hat is no hat, and window light no window", () => {
    expect(readSceneWords("photo of a person.")).toEqual({});
    expect(readSceneWords("a person in a sun hat, window light")).toEqual({ hat: "sun hat", light: "window" });
    expect(readSceneWords("A person in a RED jumper; no glasses, without a hat.")).toEqual({
      garment: "jumper",
      garmentColour: "red",
      glasses: "none",
      hat: "none",
    });
    expect(readSceneWords("小さな人 with long hair ".repeat(500))).toEqual({ hairLength: "long" });
  });

  it("says where the head is to be, as it was drawn", () => {
    for (let seed = 0; seed < 200; seed++) {
      const person = drawPerson(2, seed);
      const view = drawSceneView(person, seed % 6, { heldOut: [] });
      const { framing, side } = view.truth;
      const [whole] = describeScene(person, view);
      expect(readFraming(whole), whole).toEqual(side === "centre" ? { framing } : { framing, side });
    }
    expect(readFraming("A CLOSE-UP of somebody to the left")).toEqual({ framing: "close-up", side: "left" });
    expect(readFraming("what is left of half a figure")).toEqual({});
  });

  it("tells combinations that no training picture shows from those that some do", () => {
    for (const [sentence, never] of [
      ["a person in a green striped shirt", true],
      ["a person in a green shirt", false],
      ["a red hat on a beach", true],
      ["a red hat in an office", false],
      ["a beanie and glasses", true],
      ["a beanie", false],
      ["", false],
    ] as const) {
      expect(neverTogether(readSceneWords(sentence)), sentence).toBe(never);
    }
    expect(neverTogether({ hat: "helmet" }, [{ hat: "helmet" }])).toBe(true);
  });
});
