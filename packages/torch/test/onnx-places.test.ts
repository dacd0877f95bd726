import { Generator, randn, tensor } from "@omni-id/torch";
import { type Case, checkCases } from "./onnx-case.ts";
import { float } from "./onnx-graph.ts";

const generator = new Generator(6);
const normal = (...shape: number[]) => randn(shape, { generator });
const ints = (values: number[], ...shape: number[]) => tensor(values, { shape, dtype: "int64" });
const infinities = () => tensor([1, Number.POSITIVE_INFINITY, Number.NaN, Number.NEGATIVE_INFINITY]);
const image = () => normal(2, 3, 4, 5);
const nearest = (nearest_mode: string, coordinate_transformation_mode: string, factor: number): Case => ({
  op: "Resize",
  inputs: [image()],
  stored: { 2: tensor([1, 1, factor, factor]) },
  attributes: { mode: "nearest", nearest_mode, coordinate_transformation_mode },
  opset: 19,
});

const silent: Case[] = [
  { op: "IsInf", inputs: [infinities()], attributes: { detect_negative: 0 } },
  { op: "IsInf", inputs: [infinities()], attributes: { detect_positive: 0 } },
  { op: "IsInf", inputs: [infinities()], attributes: { detect_positive: 1, detect_negative: 1 } },
  // The standard: of equal values the one with the lower place first.
  { op: "TopK", inputs: [tensor([1, 3, 3, 2, 3, 1, 3, 2, 3])], stored: { 1: ints([4], 1) }, outputs: 2 },
  {
    op: "TopK",
    inputs: [tensor([1, 3, 3, 2, 3, 1, 3, 2, 3, 1, 1, 1])],
    stored: { 1: ints([4], 1) },
    attributes: { largest: 0 },
    outputs: 2,
  },
  {
    op: "TopK",
    inputs: [normal(3, 4, 2).mul(2).round()],
    stored: { 1: ints([3], 1) },
    attributes: { axis: 1 },
    outputs: 2,
  },
  ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].flatMap((mode) =>
    ["half_pixel", "asymmetric", "align_corners"].flatMap((coordinates) =>
      [2, 3].map((factor) => nearest(mode, coordinates, factor)),
    ),
  ),
  { op: "ArgMax", inputs: [tensor([1, 3, 3, 2])], attributes: { select_last_index: 1 } },
  { op: "CumSum", inputs: [normal(2, 4)], stored: { 1: tensor(1n) }, attributes: { exclusive: 1 }, gradient: true },
  { op: "CumSum", inputs: [normal(2, 4)], stored: { 1: tensor(1n) }, attributes: { reverse: 1 }, gradient: true },
  {
    op: "CumSum",
    inputs: [normal(2, 4)],
    stored: { 1: tensor(0n) },
    attributes: { exclusive: 1, reverse: 1 },
    gradient: true,
  },
];

const places: Case[] = [
  { op: "CastLike", inputs: [normal(3).mul(5), tensor([1n])] },
  { op: "CastLike", inputs: [tensor([1n, -2n]), normal(1)] },
  ...["none", "add", "mul"].map(
    (reduction): Case => ({
      op: "ScatterND",
      inputs: [normal(4, 3), ints([1, -1], 2, 1), normal(2, 3)],
      attributes: { reduction },
      opset: 16,
      gradient: true,
    }),
  ),
  { op: "ScatterND", inputs: [normal(4, 3, 2), ints([0, 1, 3, 2, 2, 0], 3, 2), normal(3, 2)], gradient: true },
  {
    op: "ScatterND",
    inputs: [normal(3), ints([1, 1, 0], 3, 1), normal(3)],
    attributes: { reduction: "add" },
    opset: 16,
    gradient: true,
  },
  {
    op: "ScatterND",
    inputs: [normal(3), ints([1, 1, 0], 3, 1), normal(3)],
    attributes: { reduction: "max" },
    opset: 18,
  },
  { op: "ScatterElements", inputs: [normal(3, 3), ints([0, -1, 2, 1], 2, 2), normal(2, 2)], gradient: true },
  {
    op: "ScatterElements",
    inputs: [normal(2, 5), ints([1, 1], 1, 2), normal(1, 2)],
    attributes: { axis: 1, reduction: "add" },
    opset: 16,
    gradient: true,
  },
  { op: "GatherND", inputs: [normal(2, 3, 4), ints([0, 1, -1, 2], 2, 2)], gradient: true },
  { op: "GatherND", inputs: [normal(2, 3, 4), ints([1, 2], 2, 1)], attributes: { batch_dims: 1 }, gradient: true },
  { op: "OneHot", inputs: [ints([1, -1, 2], 3), tensor(4n), tensor([0.5, 2])] },
  { op: "OneHot", inputs: [ints([1, 0], 2), tensor(3n), tensor([0, 1])], attributes: { axis: 0 } },
  { op: "Compress", inputs: [normal(3, 4), tensor([true, false, true])], attributes: { axis: 0 } },
  { op: "Compress", inputs: [normal(3, 2), tensor([false, true, true])] },
  {
    op: "NonZero",
    inputs: [
      tensor([
        [1, 0],
        [0, 3],
      ]),
    ],
  },
  { op: "ReverseSequence", inputs: [normal(4, 3, 2), ints([1, 4, 2], 3)], gradient: true },
  ...["bilinear", "nearest", "bicubic"].flatMap((mode) =>
    ["zeros", "border", "reflection"].flatMap((padding_mode) =>
      [0, 1].map(
        (align_corners): Case => ({
          op: "GridSample",
          inputs: [image(), normal(2, 3, 3, 2).mul(0.6)],
          attributes: { mode, padding_mode, align_corners },
          opset: 16,
          gradient: mode === "bicubic" && padding_mode === "zeros",
          tolerance: { atol: 1e-5, rtol: 1e-4 },
        }),
      ),
    ),
  ),
  {
    op: "LRN",
    inputs: [image()],
    attributes: { size: 3, alpha: float(0.1), beta: float(0.6), bias: float(1.5) },
    gradient: true,
  },
  { op: "LayerNormalization", inputs: [normal(2, 3, 4), normal(4)], outputs: 3 },
  { op: "Shrink", inputs: [normal(3, 4)], attributes: { bias: float(0.2), lambd: float(0.4) } },
  {
    op: "Hardmax",
    inputs: [
      tensor([
        [1, 3, 3],
        [2, 0, 1],
      ]),
    ],
  },
];

checkCases([...silent, ...places]);
