import { nearest } from "../presets/nearest.ts";

/** What a stage may be trained on. */
export interface Card {
  name: string;
  /** Bytes that tensors can have. */
  memory: number;
  /** Dense products in bfloat16, floating-point operations a second, as its maker says. */
  rate: number;
}

const GiB = 2 ** 30;
const card = (gib: number, tflops: number): Omit<Card, "name"> => ({ memory: gib * GiB, rate: tflops * 1e12 });

/** By NVIDIA's data sheets: what the driver leaves of the memory, and products without sparsity. */
const CARDS: Readonly<Record<string, Omit<Card, "name">>> = {
  b200: card(178, 2250),
  h200: card(139.8, 989),
  h100: card(79.1, 989),
  a100: card(79.1, 312),
  "a100-40": card(39.4, 312),
  l40s: card(44.4, 362),
  a10: card(22.1, 125),
  rtx5090: card(31.4, 209),
  rtx4090: card(23.5, 165),
  rtx3090: card(23.6, 71),
};

export const cardNames = (): string[] => [...Object.keys(CARDS), "cpu"];

/** @throws for a card that is not in the list */
export function cardOf(name: string): Card {
  const found = CARDS[name.toLowerCase()];
  if (!found)
    throw new Error(
      `the card "${name}" is not known${nearest(name, cardNames())}; its memory and rate: --memory, --rate`,
    );
  return { name, ...found };
}

/** What allocators, libraries and the driver keep for themselves. */
export const USABLE = 0.92;

/** Names of the cards that have so much memory. */
export const cardsWith = (memory: number): string[] =>
  Object.entries(CARDS).flatMap(([name, card]) => (card.memory >= memory ? [name] : []));
