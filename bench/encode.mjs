// From three photos (640 px) to one identity: detection, landmarks, pose, quality, recognition, encoder. → one JSON line
import { renderPictures } from "@omni-id/data";
import { IdentityEncoder, loadEncoder } from "omni-id";

const { images } = await renderPictures({ seed: 1, identity: 5, images: 3, size: 640 });
const photos = images.map(({ image }, i) => ({ name: `photo ${i}`, image }));
const maker = await IdentityEncoder.create(await loadEncoder());
const times = [];
for (let i = 0; i < 11; i++) {
  const began = performance.now();
  await maker.encode(photos);
  if (i > 0) times.push(performance.now() - began);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ milliseconds: times[5], peakMB: process.resourceUsage().maxRSS / 1024 }));
