import { arange, tensor, zeros } from "../factories.ts";
import { cat, where } from "../functions.ts";
import { rawOperator } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { axisOf, type NodeContext, type OperatorTable, obeying } from "./node-context.ts";

const scatterReduce = rawOperator("aten::scatter_reduce.two");
const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** Negative places count from the end. */
const fromStart = (places: Tensor, size: number) => where(places.lt(0), places.add(size), places);

const REDUCTIONS: Readonly<Record<string, string>> = { add: "sum", mul: "prod", max: "amax", min: "amin" };

/** Puts `source` at places along an axis, or combines it with what is there. */
function scatterBy(how: string, x: Tensor, axis: number, places: Tensor, source: Tensor): Tensor {
  if (how === "none") return x.scatter(axis, places, source);
  if (how === "add") return x.scatterAdd(axis, places, source);
  if (!Object.hasOwn(REDUCTIONS, how)) throw new Error(`reduction ${how} is not supported`);
  return scatterReduce(x.handle, axis, places.handle, source.handle, REDUCTIONS[how], true);
}

function scatterElements(context: NodeContext): Tensor {
  const x = context.input(0);
  const axis = axisOf(context.number("axis", 0), x.ndim);
  const places = fromStart(context.input(1).long(), x.shape[axis]);
  return scatterBy(context.text("reduction", "none"), x, axis, places, context.input(2));
}

/** Places `[…, k]` in the first k dimensions as places in these laid out as one: `[n]`. */
function flatPlaces(index: Tensor, sizes: readonly number[]): Tensor {
  const k = sizes.length;
  const rows = index.long().reshape([product(index.shape.slice(0, -1)), k]);
  const start = zeros([rows.shape[0]], { dtype: "int64", device: rows.device });
  return sizes.reduce((sum, size, i) => {
    const place = fromStart(rows.narrow(1, i, 1).squeeze(1), size);
    return sum.add(place.mul(product(sizes.slice(i + 1))));
  }, start);
}

/** `data` with slices `updates` at the places `indices` `[…, k]`. */
function scatterND(context: NodeContext): Tensor {
  const [x, index, updates] = [0, 1, 2].map((place) => context.input(place));
  const k = index.shape.at(-1) ?? 0;
  const [lead, rest] = [x.shape.slice(0, k), product(x.shape.slice(k))];
  const places = flatPlaces(index, lead);
  const wide = places.unsqueeze(1).expand([places.shape[0], rest]);
  const flat = scatterBy(
    context.text("reduction", "none"),
    x.reshape([product(lead), rest]),
    0,
    wide,
    updates.reshape([places.shape[0], rest]),
  );
  return flat.reshape(x.shape);
}

function gatherND(context: NodeContext): Tensor {
  const [x, index] = [context.input(0), context.input(1)];
  const shared = context.number("batch_dims", 0);
  const k = index.shape.at(-1) ?? 0;
  const batch = product(x.shape.slice(0, shared));
  const lead = x.shape.slice(shared, shared + k);
  const rest = x.shape.slice(shared + k);
  const many = product(index.shape.slice(shared, -1));
  const places = flatPlaces(index, lead).reshape([batch, many]);
  // Batches lie one below the other: each has its own first row.
  const first = arange(batch, { dtype: "int64", device: x.device }).mul(product(lead)).unsqueeze(1);
  const rows = x.reshape([batch * product(lead), product(rest)]);
  const picked = rows.indexSelect(0, places.add(first).reshape([-1]));
  return picked.reshape([...index.shape.slice(0, -1), ...rest]);
}

function oneHot(context: NodeContext): Tensor {
  const [index, values] = [context.input(0).long(), context.input(2)];
  const [depth] = context.values(1) ?? [0];
  const axis = axisOf(context.number("axis", -1), index.ndim + 1);
  const places = where(index.lt(0), index.add(depth), index).unsqueeze(axis);
  const line = arange(depth, { dtype: "int64", device: index.device }).reshape(
    Array.from({ length: index.ndim + 1 }, (_, i) => (i === axis ? depth : 1)),
  );
  return where(places.eq(line), values.narrow(0, 1, 1), values.narrow(0, 0, 1));
}

function compress(context: NodeContext): Tensor {
  const given = context.input(0);
  const x = context.has("axis") ? given : given.reshape([-1]);
  const kept = (context.values(1) ?? []).flatMap((on, i) => (on ? [i] : []));
  const places = tensor(kept, { shape: [kept.length], dtype: "int64", device: x.device });
  return x.indexSelect(axisOf(context.number("axis", 0), x.ndim), places);
}

/** The first elements of each sequence backwards, as many as it has. */
function reverseSequence(context: NodeContext): Tensor {
  const x = context.input(0);
  const [time, batch] = [context.number("time_axis", 0), context.number("batch_axis", 1)];
  const lengths = context.values(1) ?? [];
  const rows = lengths.map((length, i) => {
    const row = x.narrow(batch, i, 1);
    const turned = row.narrow(time, 0, length).flip([time]);
    return cat([turned, row.narrow(time, length, x.shape[time] - length)], time);
  });
  return cat(rows, batch);
}

/** Operators that pick and put by places. */
export const scatterOperators: OperatorTable = {
  ScatterElements: obeying("axis reduction", scatterElements),
  Scatter: obeying("axis reduction", scatterElements),
  ScatterND: obeying("reduction", scatterND),
  GatherND: obeying("batch_dims", gatherND),
  OneHot: obeying("axis", oneHot),
  Compress: obeying("axis", compress),
  NonZero: (c) => c.input(0).nonzero().t(),
  ReverseSequence: obeying("batch_axis time_axis", reverseSequence),
};
