import { join } from "node:path";
import { writeOnnxModels } from "../onnx/write-onnx.ts";
import { writeWebModels } from "../onnx/write-web.ts";
import type { WeightsDType } from "../weights/file.ts";
import { outFolder } from "./out-file.ts";
import { note, print, UsageError } from "./output.ts";

/** The folder of the models beside the page. */
const MODELS = "models";
/** The page lives in a package above this one: it is found by its name when it is asked for. */
const PAGE = "@omni-id/studio/page";

interface Asked {
  /** The shipped ones when absent. */
  weights?: string;
  json?: boolean;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** `omni-id export --onnx`. */
export async function exportOnnxFiles(
  folder: string,
  { weights, dtype, json }: Asked & { dtype: WeightsDType },
): Promise<void> {
  if (dtype !== "float16" && dtype !== "float32")
    throw new UsageError("--dtype: ONNX files hold float16 or float32 weights: choose one");
  outFolder(folder, { inputs: weights === undefined ? [] : [weights] });
  const { files } = await writeOnnxModels(folder, { weights, dtype });
  const text = files.map(({ file, bytes }) => `${join(folder, file)}: ${megabytes(bytes)}`).join("\n");
  print({ folder, dtype, files }, { json, text });
}

/** `omni-id export --web`: the models, and the page where the studio is installed. */
export async function exportWeb(folder: string, { weights, json }: Asked): Promise<void> {
  outFolder(folder, { inputs: weights === undefined ? [] : [weights] });
  const { bytes, manifest } = await writeWebModels(join(folder, MODELS), { weights });
  const page = await writePage(folder);
  if (!page) note("note: the page is part of the studio; install @omni-id/studio, or write a page on omni-id/web");
  const lines = [
    `${join(folder, MODELS)}: ${megabytes(bytes)}, encoder ${manifest.encoder.name}`,
    ...(page ? [`${folder}: the page; serve the folder as it is`] : []),
  ];
  print({ folder, bytes, encoder: manifest.encoder, page }, { json, text: lines.join("\n") });
}

/** Whether the studio is there, and has written its page. */
async function writePage(folder: string): Promise<boolean> {
  try {
    const { writePage: write } = (await import(PAGE)) as { writePage: (folder: string) => Promise<void> };
    await write(folder);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const absent = code === "ERR_MODULE_NOT_FOUND" || code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
    if (absent && message.includes("@omni-id/studio")) return false;
    if (absent && message.includes("/studio/")) return false;
    throw error;
  }
}
