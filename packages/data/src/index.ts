export { outcomes } from "./curate/assemble.ts";
export { type Likeness, recogniserLikeness } from "./curate/combine.ts";
export { type CurateOptions, curate } from "./curate/curate.ts";
export type { SetResult } from "./curate/make-set.ts";
export { type MergeOptions, type MergeResult, mergeParts } from "./curate/merge.ts";
export type { FaceLine, Outcome } from "./curate/outcome.ts";
export { type Part, parsePart } from "./curate/plan.ts";
export { type RemovalProof, removeVideo } from "./curate/remove.ts";
export { CURATE_PRESETS, type CurateSettings, curateSettings } from "./curate/settings.ts";
export { DATASETS, type Dataset } from "./curate/sources/read.ts";
export type { SetProgress } from "./curate/tally.ts";
export { findFfmpeg } from "./curate/video/ffmpeg.ts";
export {
  type CurationReport,
  describeCuration,
  type EvaluateCurationOptions,
  evaluateCuration,
} from "./evaluate/curation.ts";
export { type FetchLfwOptions, fetchLfw, LFW_TERMS } from "./fetch/lfw.ts";
export type { FaceTruth, Film, FilmTruth, FrameTruth } from "./film/film.ts";
export { drawFilmSet } from "./film/film-set.ts";
export { shootFilms } from "./film/shoot-films.ts";
export {
  type GenerateOptions,
  NANO_RECIPE,
  type Recipe,
  readRecipe,
  SCENE_RECIPE,
  writeSyntheticShards,
} from "./generate.ts";
export { type IdentityRecord, type ImageRecord, parseIdentity } from "./identity.ts";
export { type ImportOptions, importPhotos } from "./import/import-photos.ts";
export { IMPORT_PRESETS, type ImportSettings, importSettings } from "./import/settings.ts";
export { type InspectOptions, inspectShards } from "./inspect.ts";
export { type Provenance, provenance } from "./provenance.ts";
export { KeyedRandom } from "./random.ts";
export { type AucEstimate, bootstrapAuc, rocAuc, type ScoredPair } from "./roc.ts";
export { type ShardSample, shardName, writeShard } from "./shard-writer.ts";
export { type LoadedIdentity, ShardSet } from "./shards.ts";
export { HELD_OUT, type Split, splitIdentities } from "./split.ts";
export { splitOf } from "./split-file.ts";
export {
  bootstrap,
  bootstrapDifference,
  bootstrapOver,
  type Estimate,
  type Groups,
  mean,
  meanOf,
  outlierBounds,
} from "./statistics.ts";
export { renderStats, type ShardStats, shardStats } from "./stats.ts";
export { PREPARED_VERSION, type PreparedManifest } from "./stream/format.ts";
export { Keeper } from "./stream/keeper.ts";
export { type PictureEntry, PictureLoader } from "./stream/picture-loader.ts";
export { type Origin, Place } from "./stream/place.ts";
export { isPrepared, type OpenPreparedOptions, PreparedSet } from "./stream/prepared-set.ts";
export {
  type CutPerson,
  type CutPicture,
  isWritten,
  readManifest,
  writeManifest,
  writePreparedShard,
} from "./stream/prepared-writer.ts";
export { type Patience, Remote } from "./stream/remote.ts";
export { drawPerson, type Person } from "./synth/person.ts";
export { type SyntheticIdentity, SynthPool, syntheticId } from "./synth/pool.ts";
export { Portrait, renderPerson, renderPictures, type SyntheticImage } from "./synth/render.ts";
export { HELD_OUT_WORDS, readHeldOut } from "./synth/scenes/held-out.ts";
export { renderScenes, type SceneImage } from "./synth/scenes/render-scene.ts";
export { LIGHT_WORDS } from "./synth/scenes/scene-caption.ts";
export { drawFramed, drawSceneView, type Framed, type SceneView } from "./synth/scenes/scene-view.ts";
export {
  neverTogether,
  readFraming,
  readSceneWords,
  SCENE_GROUPS,
  SCENE_WORDS,
  type SceneGroup,
  type SceneWords,
} from "./synth/scenes/scene-words.ts";
export {
  breaks,
  drawTruth,
  EXPRESSION_WORDS,
  FRAMINGS,
  type HeldOut,
  PLACES,
  type SceneTruth,
  SIDES,
} from "./synth/scenes/truth.ts";
export { drawView, type View } from "./synth/view.ts";
export { compiledWorker, type WorkerMessage, WorkerPool } from "./worker-pool.ts";
