import { expect } from "vitest";

/** The one line that somebody is told who loads what cannot be loaded, without the folder's name. */
export function problemIn(folder: string, load: () => unknown): string {
  try {
    load();
  } catch (error) {
    const { message } = error as Error;
    expect(message).not.toContain("\n");
    return message.replaceAll(`${folder}/`, "");
  }
  throw new Error("it was accepted");
}
