export { type LoadedSafetensors, loadSafetensors, openSafetensors, SafetensorsFile } from "./read.ts";
export { saveSafetensors } from "./write.ts";
export { saveSafetensorsLater } from "./write-later.ts";
