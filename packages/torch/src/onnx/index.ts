export { type ImportOptions, importOnnx, OnnxModule } from "./module.ts";
