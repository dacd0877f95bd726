import type { Scene } from "./scene.ts";

/** A perspective camera at the origin that looks along −z. */
export interface Camera {
  /** Focal length, in pixels. */
  focal: number;
  width: number;
  height: number;
}

/** A picture in the making: depth, which triangle each pixel shows, and linear colour. */
export class Frame {
  readonly width: number;
  readonly height: number;
  /** 1 / distance of the nearest opaque surface; 0 where there is none. */
  readonly depth: Float32Array;
  /** Triangle in each pixel, −1 for the background. */
  readonly triangle: Int32Array;
  readonly colour: Float32Array;
  /** Share of a pixel that is the face, 0 or 1. */
  readonly face: Uint8Array;
  /** Screen place (x, y) and 1 / distance of each vertex. */
  screen = new Float32Array(0);

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    const pixels = width * height;
    this.depth = new Float32Array(pixels);
    this.triangle = new Int32Array(pixels);
    this.colour = new Float32Array(pixels * 3);
    this.face = new Uint8Array(pixels);
  }

  clear(): void {
    this.depth.fill(0);
    this.triangle.fill(-1);
    this.face.fill(0);
  }

  project(scene: Scene, { focal, width, height }: Camera): void {
    if (this.screen.length < scene.vertices * 3) this.screen = new Float32Array(scene.vertices * 4);
    const { screen } = this;
    const { position } = scene;
    for (let i = 0; i < scene.vertices * 3; i += 3) {
      const near = -1 / position[i + 2];
      screen[i] = width / 2 + position[i] * focal * near;
      screen[i + 1] = height / 2 - position[i + 1] * focal * near;
      screen[i + 2] = near;
    }
  }

  /** Finds the nearest opaque triangle of every pixel. */
  drawOpaque(scene: Scene): void {
    const opaque = scene.parts.map(({ material }) => ["skin", "plain", "eye"].includes(material.surface));
    for (let t = 0; t < scene.triangles; t++) {
      if (!opaque[scene.partOfTriangle[t]]) continue;
      this.#cover(scene.corner, t);
    }
  }

  #cover(corner: Uint32Array, t: number): void {
    const { screen: s, width, height, depth, triangle } = this;
    const a = corner[3 * t] * 3;
    const b = corner[3 * t + 1] * 3;
    const c = corner[3 * t + 2] * 3;
    const ax = s[a];
    const ay = s[a + 1];
    const bx = s[b];
    const by = s[b + 1];
    const cx = s[c];
    const cy = s[c + 1];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (area > -1e-9 && area < 1e-9) return;
    const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const x1 = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const y1 = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    if (x0 > x1 || y0 > y1) return;
    const inverse = 1 / area;
    const stepA = (by - cy) * inverse;
    const stepB = (cy - ay) * inverse;
    for (let y = y0; y <= y1; y++) {
      let wa = ((bx - x0 - 0.5) * (cy - y - 0.5) - (cx - x0 - 0.5) * (by - y - 0.5)) * inverse;
      let wb = ((cx - x0 - 0.5) * (ay - y - 0.5) - (ax - x0 - 0.5) * (cy - y - 0.5)) * inverse;
      let p = y * width + x0;
      for (let x = x0; x <= x1; x++, p++, wa += stepA, wb += stepB) {
        const wc = 1 - wa - wb;
        if (wa < 0 || wb < 0 || wc < 0) continue;
        const near = wa * s[a + 2] + wb * s[b + 2] + wc * s[c + 2];
        if (near > depth[p]) {
          depth[p] = near;
          triangle[p] = t;
        }
      }
    }
  }
}
