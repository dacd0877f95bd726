import { noGrad, scope, type Tensor, tensor, zeros } from "@omni-id/torch";

export interface TileOptions {
  /** Side of a tile, in latents. */
  tile?: number;
  /** Latents along an inner side of a tile that are decoded only so that the rest sees its surroundings. */
  context?: number;
  /** Latents over which neighbours are blended into each other. */
  blend?: number;
}

/**
 * Decodes a large map of latents `[B, C, h, w]` in tiles, so that memory is bounded by the tile: neighbours overlap
 * by two contexts and one blend, and are weighted linearly over the blend. Where `context` covers the decoder's
 * receptive field the result is that of the whole; norms and attention over a whole map make it differ a little.
 * @param factor picture pixels a latent
 * @throws when the tile is not larger than the overlap
 */
export function decodeInTiles(
  decode: (latents: Tensor) => Tensor,
  latents: Tensor,
  { factor, tile = 64, context = 4, blend = 8 }: TileOptions & { factor: number },
): Tensor {
  const overlap = 2 * context + blend;
  if (tile <= overlap) throw new RangeError(`a tile of ${tile} latents must be larger than its overlap of ${overlap}`);
  const [, , height, width] = latents.shape;
  if (height <= tile && width <= tile) return decode(latents);
  return scope(() =>
    noGrad(() => {
      const tiles = spans(height, tile, overlap).flatMap((rows) =>
        spans(width, tile, overlap).map((columns) => {
          const part = latents.narrow(2, rows.start, rows.length).narrow(3, columns.start, columns.length);
          return { rows, columns, pixels: decode(part.contiguous()) };
        }),
      );
      const [{ pixels: first }] = tiles;
      const like = { dtype: first.dtype, device: first.device };
      const sum = zeros([first.shape[0], first.shape[1], height * factor, width * factor], like);
      const weights = zeros([height * factor, width * factor], like);
      for (const { rows, columns, pixels } of tiles) {
        const down = ramp(rows, height, factor, { context, blend });
        const weight = down
          .unsqueeze(1)
          .mul(ramp(columns, width, factor, { context, blend }))
          .to(like);
        add(sum, pixels.mul(weight), rows, columns, factor);
        add(weights, weight, rows, columns, factor);
      }
      return sum.div(weights);
    }),
  );
}

interface Span {
  start: number;
  length: number;
}

/** Tiles that cover `size`, `overlap` apart from their neighbours at least; the last one ends where the map ends. */
function spans(size: number, tile: number, overlap: number): Span[] {
  const length = Math.min(tile, size);
  const starts: number[] = [];
  for (let start = 0; start + length < size; start += tile - overlap) starts.push(start);
  return [...starts, size - length].map((start) => ({ start, length }));
}

/** Weights of a tile's pixels along one side: 0 in an inner context, up to 1 over a blend, 1 at the map's own ends. */
function ramp(
  { start, length }: Span,
  size: number,
  factor: number,
  { context, blend }: Required<Omit<TileOptions, "tile">>,
) {
  const rise = (distance: number) =>
    Math.min(1, Math.max(0, (distance + 0.5 - context * factor) / Math.max(1, blend * factor)));
  const pixels = length * factor;
  return tensor(
    Array.from({ length: pixels }, (_, i) => {
      const left = start === 0 ? 1 : rise(i);
      const right = start + length === size ? 1 : rise(pixels - 1 - i);
      return Math.min(left, right);
    }),
  );
}

function add(whole: Tensor, part: Tensor, rows: Span, columns: Span, factor: number): void {
  whole
    .narrow(-2, rows.start * factor, rows.length * factor)
    .narrow(-1, columns.start * factor, columns.length * factor)
    .add_(part);
}
