import { EXPRESSION_OFFSETS } from "./expressions.generated.ts";

/** Expressions that the mean face can have: those of the renderer, whose people the nano preset learned from. */
export type ExpressionName = "neutral" | keyof typeof EXPRESSION_OFFSETS;

export const EXPRESSIONS = ["neutral", ...Object.keys(EXPRESSION_OFFSETS)] as readonly ExpressionName[];

export const isExpression = (name: string): name is ExpressionName => (EXPRESSIONS as readonly string[]).includes(name);

/** @throws for a name that is none, with those there are */
export function expressionNamed(name: string): ExpressionName {
  if (isExpression(name)) return name;
  throw new Error(`expression "${name}": choose one of ${EXPRESSIONS.join(", ")}`);
}

/**
 * The mean face with an expression, 68 × (x, y, z): each point moved as rendered people's points move on average
 * (`scripts/expressions.mjs`), in the face's own size.
 */
export function withExpression(points: ArrayLike<number>, expression: ExpressionName = "neutral"): Float32Array {
  if (expression === "neutral") return Float32Array.from(points);
  const offsets = EXPRESSION_OFFSETS[expression];
  const middle = (k: number, ...at: number[]) => at.reduce((sum, p) => sum + points[3 * p + k], 0) / at.length;
  const size = Math.hypot(...[0, 1, 2].map((k) => middle(k, 36, 39, 42, 45) - middle(k, 48, 54)));
  return Float32Array.from({ length: points.length }, (_, j) => points[j] + (size * offsets[j]) / 1000);
}
