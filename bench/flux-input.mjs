// Random inputs of a FLUX, of the sizes that a training step has.
import { Generator, rand, randn, stack, tensor, zeros } from "@omni-id/torch";

export function fluxInput({ inChannels, contextWidth, vectorWidth }, { batch, image, text }) {
  const generator = new Generator(0);
  const columns = Math.ceil(Math.sqrt(image));
  const place = (of) => tensor(Array.from({ length: image }, (_, i) => of(i)));
  const [row, column] = [place((i) => Math.floor(i / columns)), place((i) => i % columns)];
  return {
    img: randn([batch, image, inChannels], { generator }),
    imgIds: stack([zeros([image]), row, column], 1),
    txt: randn([batch, text, contextWidth], { generator }),
    txtIds: zeros([text, 3]),
    timesteps: rand([batch], { generator }),
    y: randn([batch, vectorWidth], { generator }),
  };
}
