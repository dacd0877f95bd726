import type { EncodeAnswer } from "../../src/api.ts";

/** A photo that was dropped, and what became of it. */
export interface PilePhoto {
  /** With a name that no other photo of the pile has. */
  file: File;
  state: "waits" | "good" | "refused";
  reason?: string;
  /** Address of the face that was taken. */
  face?: string;
  quality?: number;
  pose?: { yaw: number; pitch: number };
}

/** Adds photos under names of their own: two cameras number their photos alike. */
export function withPhotos(pile: readonly PilePhoto[], files: readonly File[]): PilePhoto[] {
  const names = new Set(pile.map(({ file }) => file.name));
  const added = files.map((file): PilePhoto => {
    let name = file.name;
    for (let i = 2; names.has(name); i++) name = file.name.replace(/(\.[^.]*)?$/, ` (${i})$1`);
    names.add(name);
    return { file: name === file.name ? file : new File([file], name, { type: file.type }), state: "waits" };
  });
  return [...pile, ...added];
}

/** The pile after its photos were looked at. */
export function judged(pile: readonly PilePhoto[], { used, refused }: EncodeAnswer): PilePhoto[] {
  return pile.map((photo): PilePhoto => {
    const good = used.find((one) => one.photo === photo.file.name);
    if (good) {
      const { face, quality, pose } = good;
      return { file: photo.file, state: "good", face, quality, pose };
    }
    const bad = refused.find((one) => one.photo === photo.file.name);
    return bad ? { file: photo.file, state: "refused", reason: bad.reason } : photo;
  });
}

/** Reasons of an error that lists them: when none of the photos could be used, each is told of on a line of its own. */
export function reasonsIn(message: string, pile: readonly PilePhoto[]): PilePhoto[] {
  const lines = message.split("\n").slice(1);
  return pile.map((photo): PilePhoto => {
    const line = lines.find((one) => one.trim().startsWith(`${photo.file.name}: `));
    if (!line) return photo;
    return { file: photo.file, state: "refused", reason: line.trim().slice(photo.file.name.length + 2) };
  });
}
