export {
  type ExportInputs,
  type ExportOptions,
  exportOnnx,
  OnnxExport,
  type SaveOptions,
} from "./export/index.ts";
export { type ImportOptions, importOnnx, OnnxModule } from "./module.ts";
