// The table of results/real-people.json: how near pictures of real people come to them, by weights trained on real people
// and by those that are shipped.
import { fixed, interval, percent, share, signed, source, table } from "./markdown.mjs";

const HALVES = { shipped: "shipped weights", trained: "trained on real people" };
const COUNTS = ["1", "3", "5"];

export const REAL_PEOPLE_TABLE = {
  file: "real-people.json",
  needs: ["shipped"],
  command: "npx omni-id evaluate --stage people --data data/lfw -o results/real-people.json",
  render(report, command) {
    const halves = Object.keys(HALVES).flatMap((half) => (report[half] ? [{ ...report[half], half }] : []));
    const row = (name, of) => [name, ...halves.map(of)];
    const rows = [
      ...COUNTS.map((count) =>
        row(`distance of the independent recogniser ↓, ${count} photo${count === "1" ? "" : "s"}`, ({ distance }) =>
          interval(distance[count]),
        ),
      ),
      row("_drawn from somebody else's identity_", ({ distance }) => interval(distance.otherIdentity)),
      row("_another photo of the person_", ({ distance }) => interval(distance.samePerson)),
      row("_a photo of a stranger_", ({ distance }) => interval(distance.otherPerson)),
      ...COUNTS.map((count) =>
        row(`net share of the way ↑, ${count} photo${count === "1" ? "" : "s"}`, ({ net }) => share(net[count])),
      ),
      row("the right one first ↑, 3 photos", ({ firstOf, people }) => `${share(firstOf[3])} of ${people}`),
      row("faces found", ({ found }) => percent(found)),
      row("pose error", ({ poseError }) => `${fixed(poseError.mean, 1)}°`),
      row("Fréchet distance to real crops of others ↓", ({ frechet }) => fixed(frechet.drawn)),
      row("_the base alone_", ({ frechet }) => fixed(frechet.base)),
      row("_real ones, through the latents_", ({ frechet }) => fixed(frechet.roundTrip)),
      row("_real ones_", ({ frechet }) => fixed(frechet.real)),
      row("guidance", ({ guidance }) => `${guidance}`),
    ];
    const told = halves.map(
      (one) =>
        `${HALVES[one.half]}: five photos instead of one change the distance by ${signed(one.differences["5 − 1"])}, commit ${one.commit}`,
    );
    const [first] = halves;
    const photos = COUNTS.map((count) => fixed(first.photos[count], 1)).join(" / ");
    return [
      table(["", ...halves.map(({ half }) => HALVES[half])], rows),
      `${first.people} people whom nothing was trained on, ${first.targets} pictures a row${first.landmarks ? ", the target's landmarks given" : ""}; photos of a person in the mean, where 1 / 3 / 5 were asked for: ${photos}. ${told.join("; ")}.`,
      `Measured by \`${command}\` on press photographs (Labeled Faces in the Wild; ${first.data}): ${source(first, first.seed)}.`,
    ];
  },
};
