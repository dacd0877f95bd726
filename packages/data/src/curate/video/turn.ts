/** Degrees clockwise by which a film's pictures are turned. */
export type Turn = 90 | 180 | 270;
export const TURNS: readonly Turn[] = [90, 180, 270];

/** The filter of ffmpeg that brings such a film upright. */
export const UPRIGHTING: Readonly<Record<Turn, string>> = { 90: "transpose=2", 180: "hflip,vflip", 270: "transpose=1" };

/** What is known of a film once it is turned upright. */
export function uprighted<Info extends { width: number; height: number; turn?: Turn }>(
  info: Info,
  turn: Turn | undefined,
): Info {
  if (turn === undefined) return info;
  const { width, height } = info;
  return { ...info, turn, ...(turn === 180 ? {} : { width: height, height: width }) };
}
