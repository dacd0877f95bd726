// Synthetic pictures a second with two workers, at the sizes of training and of a photo. → one JSON line
import { SynthPool } from "@omni-id/data";

const rates = {};
for (const [size, people] of [
  [96, 8],
  [512, 4],
]) {
  const pool = new SynthPool({ workers: 2 });
  const render = (from, count) =>
    Promise.all(Array.from({ length: count }, (_, i) => pool.render({ seed: 2, identity: from + i, size, images: 8 })));
  await render(0, 2); // loads the body model
  const began = performance.now();
  await render(2, people);
  rates[size] = (people * 8) / ((performance.now() - began) / 1000);
  await pool.close();
}
console.log(JSON.stringify({ imagesPerSecond: rates }));
