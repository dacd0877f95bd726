import type { Mesh } from "./mesh.ts";
import type { Colour } from "./person.ts";
import type { ProxyMesh } from "./proxy.ts";
import type { Texture } from "./texture.ts";

/** How a surface is drawn. Cards (hair, brows, lashes) are transparent and drawn back to front. */
export type Surface = "skin" | "plain" | "eye" | "hair" | "brow" | "lash" | "glass";

export interface Material {
  surface: Surface;
  texture?: Texture;
  /** Part of texture space that the texture covers. */
  window?: { u0: number; v0: number; u1: number; v1: number };
  tint: Colour;
  gloss: number;
  /** Factor on the texture's alpha. */
  gain: number;
  /** Mean luminance of the texture, which `tint` replaces. */
  mean: number;
  /** Part of the face, as the mask wants it. */
  face: boolean;
}

/** A piece of a person: a mesh on shared positions with one material. */
export interface Part {
  mesh: Mesh;
  /** Current positions and normals, by position. */
  positions: Float32Array;
  normals: Float32Array;
  chain: Float32Array;
  material: Material;
  /** For skin: 1 where a render vertex belongs to the face. */
  faceVertices?: Uint8Array;
  proxy?: ProxyMesh;
  mirrored?: boolean;
  /** The part that this is a piece of, with the same vertices. */
  whole?: Part;
}
