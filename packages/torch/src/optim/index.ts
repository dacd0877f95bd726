export { AdamW, type AdamWOptions } from "./adamw.ts";
export { clipGradNorm } from "./clip.ts";
export { EMA, type EMAOptions } from "./ema.ts";
export { GradScaler, type GradScalerOptions } from "./grad-scaler.ts";
export { Muon, type MuonOptions, orthogonalise } from "./muon.ts";
