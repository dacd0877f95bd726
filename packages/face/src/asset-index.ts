/** The asset packages and the models in them, without LibTorch: for set-up and doctors. */
export type { AssetName } from "./asset-packages.ts";
export { type AssetStatus, assetFolder, assetPath, assetsStatus, cacheFolder } from "./assets.ts";
export { fetchAssets, unpackPackage } from "./fetch-assets.ts";
export { independentModel, type ModelEntry, models, recogniserModel } from "./model-entries.ts";
export { modelFile } from "./models.ts";
