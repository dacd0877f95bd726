import type { KeyedRandom } from "../../random.ts";
import type { Backdrop, Rgb } from "../backdrop.ts";
import { CLOTH } from "./colours.ts";
import type { Place } from "./truth.ts";

/** Paints a place on a square of `b.side`; y runs down. Colours are linear, as in even daylight. */
type Painter = (b: Backdrop, r: KeyedRandom) => void;

const shade = (c: Rgb, by: number): Rgb => [c[0] * by, c[1] * by, c[2] * by];
const near = (r: KeyedRandom, c: Rgb, by: number): Rgb => shade(c, r.range(1 - by, 1 + by));

function fill(b: Backdrop, c: Rgb, from = 0, to = b.side): void {
  b.box(0, Math.round(from), b.side, Math.round(to) - Math.round(from), c, 1);
}

/** From one colour above to another below. */
function fade(b: Backdrop, one: Rgb, two: Rgb, from: number, to: number): void {
  for (let y = Math.floor(from); y < to; y++) {
    const t = (y - from) / (to - from);
    fill(b, [0, 1, 2].map((k) => one[k] + (two[k] - one[k]) * t) as unknown as Rgb, y, y + 1);
  }
}

function sky(b: Backdrop, r: KeyedRandom, horizon: number): void {
  fade(b, near(r, [0.2, 0.42, 0.85], 0.15), [0.72, 0.84, 0.98], 0, horizon);
  for (let i = r.below(4); i > 0; i--) {
    const [x, y] = [r.range(0, b.side), r.range(0, horizon * 0.7)];
    for (let k = 0; k < 7; k++) b.disc(x + r.range(-10, 10), y + r.range(-2, 2), r.range(2, 6), [0.95, 0.96, 1], 0.5);
  }
}

/** Spots of leaves. */
function leaves(b: Backdrop, r: KeyedRandom, green: Rgb, from: number, to: number, count: number): void {
  for (let i = 0; i < count; i++) {
    b.disc(r.range(0, b.side), r.range(from, to), r.range(1.2, 5), near(r, green, 0.65), 0.75);
  }
}

export const PAINTERS: Readonly<Record<Place, Painter>> = {
  "brick wall": (b, r) => {
    const clay = near(r, [0.36, 0.115, 0.065], 0.2);
    fill(b, [0.46, 0.42, 0.37]);
    const height = 8 + r.below(3);
    const width = Math.round(height * 2.3);
    for (let y = -r.below(height), row = 0; y < b.side; y += height, row++) {
      for (let x = -(row % 2) * Math.floor(width / 2) - 2; x < b.side; x += width) {
        b.box(x, y, width - 2, height - 2, near(r, clay, 0.28), 1);
      }
    }
  },
  bookshelf: (b, r) => {
    const wood = near(r, [0.17, 0.085, 0.035], 0.3);
    fill(b, shade(wood, 0.25));
    const height = 27 + r.below(8);
    for (let y = -r.below(height); y < b.side; y += height) {
      for (let x = 0; x < b.side; ) {
        const width = 3 + r.below(5);
        const tall = Math.round(height * r.range(0.62, 0.88));
        const cover = near(r, r.pick(Object.values(CLOTH)), 0.4);
        b.box(x, y + height - tall, width - 1, tall - 3, cover, 1);
        if (r.chance(0.5)) b.box(x, y + height - tall + 4, width - 1, 2, [0.7, 0.6, 0.3], 0.7);
        x += width;
      }
      b.box(0, y + height - 3, b.side, 3, wood, 1);
    }
  },
  office: (b, r) => {
    fade(b, [0.72, 0.74, 0.76], [0.55, 0.57, 0.6], 0, b.side);
    fill(b, [0.85, 0.86, 0.88], 0, 22);
    for (let x = r.below(20) - 10; x < b.side; x += 40) b.box(x, 6, 24, 7, [2, 2, 2.1], 1);
    for (let x = 4 + r.below(10); x < b.side; x += 30 + r.below(12)) {
      b.box(x, 34, 20, 26, [0.95, 1.05, 1.2], 1);
      for (let y = 36; y < 58; y += 4) b.box(x, y, 20, 1, [0.6, 0.64, 0.7], 1);
    }
    const desk = 84 + r.below(12);
    b.box(0, desk, b.side, 4, [0.42, 0.28, 0.15], 1);
    fill(b, [0.23, 0.24, 0.26], desk + 4);
    for (let x = 2 + r.below(12); x < b.side; x += 36) {
      b.box(x, desk - 20, 25, 16, [0.02, 0.02, 0.025], 1);
      b.box(x + 2, desk - 18, 21, 12, near(r, [0.15, 0.42, 0.75], 0.3), 1);
      b.box(x + 10, desk - 4, 5, 4, [0.05, 0.05, 0.05], 1);
    }
  },
  kitchen: (b, r) => {
    fill(b, [0.68, 0.7, 0.68]);
    for (let y = 0; y < b.side; y += 10) b.box(0, y, b.side, 1, [0.42, 0.44, 0.44], 1);
    for (let x = 0; x < b.side; x += 10) b.box(x, 0, 1, b.side, [0.42, 0.44, 0.44], 1);
    const door = near(
      r,
      r.pick([
        [0.5, 0.3, 0.13],
        [0.62, 0.6, 0.52],
        [0.12, 0.25, 0.2],
      ] as const),
      0.15,
    );
    const cupboards = (from: number, to: number) => {
      fill(b, shade(door, 0.5), from, to);
      for (let x = -r.below(16); x < b.side; x += 30) {
        b.box(x, from + 1, 28, to - from - 2, door, 1);
        b.box(x + 4, from + 5, 20, to - from - 10, shade(door, 1.18), 1);
        b.box(x + 24, from + Math.floor((to - from) / 2), 2, 5, [0.8, 0.8, 0.8], 1);
      }
    };
    cupboards(0, 36 + r.below(8));
    const top = 84 + r.below(8);
    cupboards(top + 5, b.side);
    fill(b, [0.1, 0.1, 0.11], top, top + 5);
    for (let i = 0; i < 4; i++) {
      const x = r.below(b.side);
      b.box(x, top - 12, 7, 12, near(r, r.pick([CLOTH.red, CLOTH.white, CLOTH.orange, CLOTH.blue]), 0.3), 1);
    }
  },
  curtain: (b, r) => {
    const cloth = near(r, CLOTH.red, 0.25);
    const fold = r.range(9, 15);
    const phase = r.range(0, 6);
    for (let x = 0; x < b.side; x++) {
      const wave = Math.sin((x / fold) * 2 * Math.PI + phase + 0.8 * Math.sin(x / 17));
      b.box(x, 0, 1, b.side, shade(cloth, 0.55 + 0.45 * wave), 1);
    }
  },
  window: (b, r) => {
    fill(b, near(r, [0.5, 0.44, 0.36], 0.2));
    const left = 8 + r.below(12);
    const width = b.side - 2 * left;
    const bottom = 96;
    b.box(left - 4, 6, width + 8, bottom - 2, [0.82, 0.82, 0.8], 1);
    for (let y = 10; y < bottom; y++) {
      const t = (y - 10) / (bottom - 10);
      b.box(left, y, width, 1, [0.75 + 0.5 * t, 0.95 + 0.35 * t, 1.35], 1);
    }
    for (let i = 0; i < 40; i++) {
      const y = r.range(66, bottom);
      b.box(
        left + r.below(width - 8),
        Math.floor(y),
        4 + r.below(6),
        Math.floor(bottom - y),
        near(r, [0.12, 0.3, 0.08], 0.4),
        0.6,
      );
    }
    b.box(left + Math.floor(width / 2) - 2, 8, 4, bottom - 4, [0.82, 0.82, 0.8], 1);
    b.box(left, 50, width, 4, [0.82, 0.82, 0.8], 1);
    b.box(left - 8, bottom + 2, width + 16, 6, [0.9, 0.9, 0.88], 1);
  },
  "plain wall": (b, r) => {
    const paint = near(
      r,
      r.pick([
        [0.5, 0.5, 0.5],
        [0.62, 0.57, 0.46],
        [0.3, 0.45, 0.58],
        [0.42, 0.52, 0.42],
      ] as const),
      0.2,
    );
    for (let y = 0; y < b.side; y++) fill(b, shade(paint, 1.1 - (0.3 * y) / b.side), y, y + 1);
  },
  forest: (b, r) => {
    fade(b, [0.34, 0.5, 0.26], [0.07, 0.15, 0.04], 0, b.side);
    leaves(b, r, [0.14, 0.3, 0.06], 0, b.side, 260);
    for (let i = 7 + r.below(5); i > 0; i--) {
      const width = 3 + r.below(9);
      const x = r.below(b.side);
      const bark = near(r, [0.085, 0.055, 0.032], 0.35);
      b.box(x, 0, width, b.side, bark, 0.95);
      b.box(x, 0, Math.ceil(width / 3), b.side, shade(bark, 1.9), 0.6);
    }
    leaves(b, r, [0.2, 0.4, 0.08], 0, 44, 130);
    leaves(b, r, [0.09, 0.2, 0.04], 96, b.side, 90);
  },
  garden: (b, r) => {
    sky(b, r, 42);
    leaves(b, r, [0.1, 0.28, 0.05], 24, 78, 330);
    fade(b, [0.2, 0.46, 0.08], [0.11, 0.3, 0.05], 78, b.side);
    const flowers = [CLOTH.red, CLOTH.pink, CLOTH.yellow, CLOTH.white, CLOTH.purple];
    for (let i = 0; i < 75; i++) b.disc(r.range(0, b.side), r.range(38, 112), r.range(1.6, 3.4), r.pick(flowers), 0.95);
  },
  beach: (b, r) => {
    const horizon = 44 + r.below(16);
    sky(b, r, horizon);
    fade(b, near(r, [0.03, 0.2, 0.4], 0.2), [0.16, 0.5, 0.56], horizon, horizon + 26);
    fade(b, [0.72, 0.57, 0.36], [0.62, 0.47, 0.28], horizon + 26, b.side);
    for (let i = 0; i < 14; i++)
      b.box(r.below(b.side), horizon + 3 + r.below(20), 6 + r.below(14), 1, [0.7, 0.85, 0.9], 0.6);
    b.box(0, horizon + 24, b.side, 3, [0.95, 0.97, 0.97], 0.9);
  },
  mountains: (b, r) => {
    sky(b, r, 88);
    for (const [base, rock, step] of [
      [46, [0.3, 0.36, 0.48], 1.5],
      [70, [0.15, 0.2, 0.24], 1.2],
    ] as const) {
      let height = base + r.range(-12, 8);
      let slope = r.pick([-step, step]);
      for (let x = 0; x < b.side; x++) {
        if (r.chance(0.06) || height < base - 26 || height > base + 14) slope = height < base - 6 ? step : -step;
        height += slope * r.range(0.5, 1.2);
        const top = Math.floor(height);
        b.box(x, top, 1, b.side - top, near(r, rock, 0.025), 1);
        if (top < base) b.box(x, top, 1, Math.ceil((base - top) * 0.6), [0.9, 0.93, 1], 1);
      }
    }
    fade(b, [0.16, 0.3, 0.09], [0.1, 0.2, 0.06], 96, b.side);
  },
  snow: (b, r) => {
    fade(b, [0.6, 0.68, 0.8], [0.85, 0.88, 0.95], 0, 70);
    fade(b, [0.95, 0.97, 1.05], [0.8, 0.85, 0.98], 66, b.side);
    for (let i = 5 + r.below(5); i > 0; i--) {
      const [x, top, tall] = [r.range(0, b.side), r.range(14, 44), r.range(34, 56)];
      for (let y = 0; y < tall; y++) {
        const half = ((y % 13) + 5) * (0.35 + (0.65 * y) / tall);
        b.box(
          Math.round(x - half),
          Math.round(top + y),
          Math.round(2 * half),
          1,
          y % 13 < 4 ? [0.85, 0.9, 1] : [0.03, 0.1, 0.07],
          0.95,
        );
      }
    }
    for (let i = 0; i < 90; i++)
      b.disc(r.range(0, b.side), r.range(0, b.side), r.range(0.7, 1.7), [1.1, 1.1, 1.15], 0.9);
  },
  street: (b, r) => {
    sky(b, r, 60);
    const house = (x: number, top: number, width: number) => {
      const wall = near(
        r,
        r.pick([
          [0.5, 0.38, 0.26],
          [0.4, 0.16, 0.1],
          [0.55, 0.53, 0.48],
          [0.35, 0.38, 0.42],
        ] as const),
        0.2,
      );
      b.box(x, top, width, 104 - top, wall, 1);
      for (let y = top + 5; y < 92; y += 14) {
        for (let i = x + 4; i < x + width - 6; i += 11) {
          b.box(i, y, 6, 9, [0.08, 0.11, 0.15], 1);
          b.box(i, y, 6, 1, [0.75, 0.75, 0.72], 1);
        }
      }
    };
    for (let x = -r.below(14); x < b.side; ) {
      const width = 27 + r.below(18);
      house(x, r.below(34), width);
      x += width;
    }
    fill(b, [0.42, 0.41, 0.4], 104, 110);
    fill(b, [0.12, 0.12, 0.13], 110);
    for (let x = 4; x < b.side; x += 22) b.box(x, 119, 12, 2, [0.8, 0.8, 0.75], 1);
    const car = 4 + r.below(80);
    const body = near(r, r.pick([CLOTH.red, CLOTH.blue, CLOTH.white, CLOTH.yellow]), 0.2);
    b.box(car, 100, 36, 10, body, 1);
    b.box(car + 7, 92, 20, 9, shade(body, 0.8), 1);
    b.box(car + 9, 94, 7, 6, [0.1, 0.14, 0.18], 1);
    b.box(car + 18, 94, 7, 6, [0.1, 0.14, 0.18], 1);
    b.disc(car + 8, 110, 4, [0.01, 0.01, 0.01], 1);
    b.disc(car + 28, 110, 4, [0.01, 0.01, 0.01], 1);
  },
  "city at night": (b, r) => {
    fade(b, [0.008, 0.012, 0.04], [0.05, 0.035, 0.07], 0, b.side);
    for (let x = -r.below(10); x < b.side; ) {
      const width = 12 + r.below(16);
      const top = 10 + r.below(56);
      b.box(x, top, width, b.side, near(r, [0.018, 0.02, 0.034], 0.5), 1);
      for (let y = top + 3; y < b.side; y += 6) {
        for (let i = x + 2; i < x + width - 3; i += 5) {
          if (r.chance(0.55)) b.box(i, y, 3, 3, near(r, [1.5, 1.05, 0.42], 0.5), 1);
        }
      }
      x += width;
    }
    for (let i = 12; i > 0; i--) {
      const lamp = r.pick([
        [2.4, 1.3, 0.4],
        [2.2, 0.25, 0.2],
        [0.5, 1.3, 2.4],
        [1.6, 0.4, 1.8],
      ] as const);
      b.disc(r.range(0, b.side), r.range(60, b.side), r.range(2, 5.5), lamp, 0.5);
    }
  },
};
