import { call, handles, Operator, wrapList } from "../dispatch.ts";
import type { Tensor } from "../tensor.ts";

const ops = {
  mulScalar: new Operator("aten::_foreach_mul_.Scalar"),
  addList: new Operator("aten::_foreach_add_.List"),
  addcmul: new Operator("aten::_foreach_addcmul_.Scalar"),
  addcdiv: new Operator("aten::_foreach_addcdiv_.Scalar"),
  sqrt: new Operator("aten::_foreach_sqrt"),
  addScalar: new Operator("aten::_foreach_add_.Scalar"),
  divScalar: new Operator("aten::_foreach_div_.Scalar"),
  norm: new Operator("aten::_foreach_norm.Scalar"),
};

/** In-place arithmetic on lists of tensors: one dispatch for a whole optimiser's parameters. */
export const foreach = {
  /** xᵢ *= s */
  mul_: (xs: readonly Tensor[], s: number): void => call(ops.mulScalar.id, handles(xs), s),
  /** xᵢ += s */
  addScalar_: (xs: readonly Tensor[], s: number): void => call(ops.addScalar.id, handles(xs), s),
  /** xᵢ /= s */
  div_: (xs: readonly Tensor[], s: number): void => call(ops.divScalar.id, handles(xs), s),
  /** xᵢ += alpha · yᵢ */
  add_: (xs: readonly Tensor[], ys: readonly Tensor[], alpha = 1): void =>
    call(ops.addList.id, handles(xs), handles(ys), alpha),
  /** xᵢ += value · yᵢ · zᵢ */
  addcmul_: (xs: readonly Tensor[], ys: readonly Tensor[], zs: readonly Tensor[], value: number): void =>
    call(ops.addcmul.id, handles(xs), handles(ys), handles(zs), value),
  /** xᵢ += value · yᵢ / zᵢ */
  addcdiv_: (xs: readonly Tensor[], ys: readonly Tensor[], zs: readonly Tensor[], value: number): void =>
    call(ops.addcdiv.id, handles(xs), handles(ys), handles(zs), value),
  /** √xᵢ */
  sqrt: (xs: readonly Tensor[]): Tensor[] => wrapList(call(ops.sqrt.id, handles(xs))),
  /** ‖xᵢ‖₂ */
  norm: (xs: readonly Tensor[]): Tensor[] => wrapList(call(ops.norm.id, handles(xs), 2)),
};
