import { call, handles, Operator, wrap, wrapList } from "./dispatch.ts";
import { type Handle, native } from "./native.ts";
import type { Tensor } from "./tensor.ts";

const ops = {
  cat: new Operator("aten::cat"),
  stack: new Operator("aten::stack"),
  where: new Operator("aten::where.self"),
  einsum: new Operator("aten::einsum"),
  meshgrid: new Operator("aten::meshgrid.indexing"),
};

const operand = (value: Tensor | number): Handle =>
  typeof value === "number" ? native.scalarTensor(value) : value.handle;

/** Joins tensors along an existing dimension. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return wrap(call(ops.cat.id, handles(tensors), dim));
}
/** Joins tensors of one shape along a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return wrap(call(ops.stack.id, handles(tensors), dim));
}
/** `a` where the condition holds, `b` elsewhere; all three broadcast. */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  return wrap(call(ops.where.id, condition.handle, operand(a), operand(b)));
}
/** Sum of products by Einstein's convention, e.g. `einsum("bnd,bmd->bnm", q, k)`. */
export function einsum(equation: string, ...tensors: Tensor[]): Tensor {
  return wrap(call(ops.einsum.id, equation, handles(tensors)));
}
/** Coordinates of a grid: one tensor an axis, each of the shape of the grid ("ij": rows first). */
export function meshgrid(tensors: readonly Tensor[], { indexing = "ij" }: { indexing?: "ij" | "xy" } = {}): Tensor[] {
  return wrapList(call(ops.meshgrid.id, handles(tensors), indexing));
}
