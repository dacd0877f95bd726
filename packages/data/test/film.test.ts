import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drawFilmSet, findFfmpeg } from "@omni-id/data";
import { afterAll, describe, expect, test } from "vitest";
import type { Film } from "../src/film/film.ts";
import { shootFilm } from "../src/film/shoot.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-film-"));
afterAll(() => rmSync(root, { recursive: true }));
const { ffmpeg } = findFfmpeg();

const actor = { seed: 4, look: 0, motion: "turns" } as const;
const film: Film = {
  name: "test",
  height: 48,
  fps: 10,
  crf: 20,
  shots: [
    { seconds: 0.3, actors: [{ ...actor, identity: 1 }] },
    {
      seconds: 0.4,
      actors: [
        { ...actor, identity: 2 },
        { ...actor, identity: 3, away: [0, 5] },
      ],
    },
  ],
};

describe("shootFilm", () => {
  test("the truth tells who is where; the same film is the same file", async () => {
    const truth = await shootFilm(film, { out: join(root, "a"), ffmpeg });
    expect(truth.frames.map(({ shot }) => shot)).toEqual([0, 0, 0, 1, 1, 1, 1]);
    const [first] = truth.frames;
    expect(first.faces.map(({ person }) => person)).toEqual(["4/1"]);
    const nose = first.faces[0].landmarks.slice(60, 62);
    expect(Math.abs(nose[0] - 48)).toBeLessThan(12); // one person stands in the middle of twice the height
    const last = truth.frames[6].faces;
    expect(last.map(({ person }) => person)).toEqual(["4/2", "4/3"]);
    expect(last[0].visible).toBe(1);
    expect(last[1].visible).toBe(0); // has gone

    await shootFilm(film, { out: join(root, "b"), ffmpeg });
    for (const file of ["test.mp4", "test.truth.json"]) {
      expect(readFileSync(join(root, "a", file)).equals(readFileSync(join(root, "b", file)))).toBe(true);
    }
  });
  test("an encoder that cannot write says so", async () => {
    await expect(shootFilm(film, { out: join(root, "c"), ffmpeg: "/bin/false" })).rejects.toThrow(
      /could not write .*test\.mp4/,
    );
  });
});

test("a set of films has other people in every film, and repeats with the seed", () => {
  const films = drawFilmSet({ seed: 3, rounds: 2 });
  expect(films).toEqual(drawFilmSet({ seed: 3, rounds: 2 }));
  expect(new Set(films.map(({ name }) => name)).size).toBe(films.length);
  const cast = films.map(({ shots }) => new Set(shots.flatMap(({ actors }) => actors.map(({ identity }) => identity))));
  expect(new Set(cast.flatMap((who) => [...who])).size).toBe(cast.reduce((sum, who) => sum + who.size, 0));
});
