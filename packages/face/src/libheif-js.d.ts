/** The part of libheif's JavaScript build that is used here (the package's own types name the C functions only). */
declare module "libheif-js/wasm-bundle.js" {
  export interface HeifImage {
    get_width(): number;
    get_height(): number;
    is_primary(): boolean;
    /** Fills `data` with RGBA, turned and mirrored as the file says; `null` where the picture cannot be decoded. */
    display(
      target: { data: Uint8ClampedArray; width: number; height: number },
      done: (result: { data: Uint8ClampedArray } | null) => void,
    ): void;
    free(): void;
  }
  export interface Libheif {
    HeifDecoder: new () => { decode(file: Uint8Array): HeifImage[] };
  }
  const libheif: Libheif;
  export default libheif;
}

/** The same with its WebAssembly given from outside. */
declare module "libheif-js/libheif-wasm/libheif.js" {
  import type { Libheif } from "libheif-js/wasm-bundle.js";

  export type { Libheif };
  export default function openLibheif(options: { wasmBinary: ArrayBuffer }): Libheif;
}
