export {
  type ExportInputs,
  type ExportOptions,
  exportOnnx,
  OnnxExport,
  type SaveOptions,
  type SignatureValue,
  type WeightOptions,
} from "./export/index.ts";
export { type ImportOptions, importOnnx, OnnxModule } from "./module.ts";
export { type RewriteOptions, rewriteOnnx } from "./rewrite.ts";
