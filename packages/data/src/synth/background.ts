import { KeyedRandom } from "../random.ts";
import { Backdrop, enlarge, type Rgb } from "./backdrop.ts";
import type { Frame } from "./frame.ts";
import type { BackgroundKind, View } from "./view.ts";

const SIDE = 96;

function someColour(r: KeyedRandom, most = 1): Rgb {
  const value = r.uniform() * most;
  const saturation = r.chance(0.75) ? r.range(0, 0.3) : r.range(0.2, 0.7);
  return [0, 1, 2].map(() => value * (1 - saturation * r.uniform())) as unknown as Rgb;
}

const PAINTERS: Readonly<Record<BackgroundKind, (b: Backdrop, r: KeyedRandom) => void>> = {
  plain: () => {},
  room: (b, r) => {
    for (let i = 6 + r.below(14); i > 0; i--) {
      b.box(r.below(SIDE), r.below(SIDE), 4 + r.below(40), 4 + r.below(50), someColour(r, 0.9), 0.85);
    }
    b.box(0, Math.floor(r.range(0.5, 0.95) * SIDE), SIDE, SIDE, someColour(r, 0.6), 0.7);
    if (r.chance(0.5))
      b.box(r.below(SIDE), r.below(SIDE / 2), 15 + r.below(25), 20 + r.below(35), [1.6, 1.6, 1.7], 0.9);
  },
  lights: (b, r) => {
    for (let i = 20 + r.below(50); i > 0; i--) {
      b.disc(r.uniform() * SIDE, r.uniform() * SIDE, 2 + r.uniform() * 9, someColour(r, 2.2), r.range(0.15, 0.6));
    }
  },
  nature: (b, r) => {
    const green: Rgb = [r.range(0.05, 0.3), r.range(0.2, 0.45), r.range(0.03, 0.15)];
    const horizon = Math.floor(r.range(0.1, 0.7) * SIDE);
    b.box(0, 0, SIDE, horizon, [r.range(0.5, 1), r.range(0.65, 1.05), r.range(0.8, 1.2)], 0.85);
    for (let i = 0; i < 400; i++) {
      const shade = r.range(0.2, 1.5);
      const side = 1 + r.below(7);
      b.box(
        r.below(SIDE),
        horizon + r.below(SIDE - horizon),
        side,
        side,
        [green[0] * shade, green[1] * shade, green[2] * shade],
        0.6,
      );
    }
  },
  street: (b, r) => {
    b.box(0, 0, SIDE, SIDE, [r.range(0.5, 1.1), r.range(0.6, 1.1), r.range(0.7, 1.2)], 0.85);
    for (let x = 0; x < SIDE; ) {
      const width = 6 + r.below(22);
      const top = r.below(Math.floor(SIDE * 0.6));
      b.box(x, top, width, SIDE, someColour(r, 0.7), 0.95);
      const lit = someColour(r, 1.1);
      for (let y = top + 3; y < SIDE - 10; y += 6)
        for (let i = x + 2; i < x + width - 2; i += 5) b.box(i, y, 3, 3, lit, 0.8);
      x += width;
    }
  },
};

/** Paints the view's background wherever a frame shows nothing else. */
export function paintBackground({ seed, background }: View, frame: Frame): void {
  const r = new KeyedRandom(seed, 0xbac6);
  const b = new Backdrop(SIDE);
  const [one, two] = [0.3, 0.1].map((least) => background.tint.map((value) => value * r.range(least, 1)));
  const angle = r.range(0, 2 * Math.PI);
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const along = (x / SIDE - 0.5) * cosine + (y / SIDE - 0.5) * sine;
      const t = Math.max(0, Math.min(1, 0.5 + along));
      for (let c = 0; c < 3; c++) b.pixels[(y * SIDE + x) * 3 + c] = one[c] + (two[c] - one[c]) * t;
    }
  }
  PAINTERS[background.kind](b, r);
  const radius = Math.round(background.blur * SIDE);
  if (radius > 0) for (let i = 0; i < 2; i++) b.blur(radius);
  enlarge(b, background.gain, frame);
}
