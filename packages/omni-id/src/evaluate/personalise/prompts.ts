import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readSceneWords, type SceneWords } from "@omni-id/data";

/** A sentence to draw, and what of it can be read off a picture again. */
export interface ScenePrompt {
  text: string;
  asks: SceneWords;
}

/** The twenty prompts that scenes are measured by, unless a user has others. */
export const SCENE_PROMPTS = fileURLToPath(new URL("../../../prompts/scenes.txt", import.meta.url));

/** Prompts that one file may hold: each is drawn of everybody, several times. */
const MOST = 200;

/** Reads a file of prompts, one a line; lines that begin with # and empty ones say nothing. @throws in one line */
export function readPrompts(file: string): ScenePrompt[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`${file}: no file of prompts, one a line (${(error as Error).message})`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const prompts = [...new Set(lines.filter((line) => line !== "" && !line.startsWith("#")))];
  if (prompts.length === 0) throw new Error(`${file}: holds no prompt; write one a line`);
  if (prompts.length > MOST) throw new Error(`${file}: ${prompts.length} prompts; ${MOST} at most`);
  return prompts.map((prompt) => ({ text: prompt, asks: readSceneWords(prompt) }));
}
