import { scope } from "@omni-id/torch";
import type { Autoencoder } from "../../backbones/autoencoder.ts";
import { LinearAutoencoder } from "../../backbones/linear-autoencoder.ts";
import type { People } from "../../people/people.ts";
import { sample } from "../../people/sample.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import { psnr } from "./psnr.ts";

/** Pictures of training people whose patches give the principal directions. */
const FIT_ON = 4096;

/** Principal directions of the training people's patches, where the latents are linear and not given. */
export async function fitLatents(
  latents: Autoencoder,
  people: People,
  { fit, note }: { fit: boolean; note: (text: string) => void },
): Promise<void> {
  if (!(latents instanceof LinearAutoencoder)) return;
  const rows = sample(people, FIT_ON);
  using fetched = await people.pictures({ crops: rows });
  scope(() => {
    const pictures = toUnit(fetched.cropsOf(rows));
    if (fit) latents.fit(pictures);
    const drawn = latents.fromDirections(latents.encode(pictures));
    note(`latents: PSNR ${psnr(drawn, pictures).toFixed(1)} dB on training pictures`);
  });
}
