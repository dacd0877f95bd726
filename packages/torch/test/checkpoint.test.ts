import { describe, expect, it } from "vitest";
import {
  autocast,
  cat,
  checkpoint,
  Generator,
  grad,
  heapBytes,
  liveTensors,
  manualSeed,
  nn,
  noGrad,
  randint,
  randn,
  scope,
  type Tensor,
} from "../src/index.ts";
import { native } from "../src/native.ts";
import { sanitized } from "./sanitized.ts";

const WIDTH = 16;

/** Residual blocks that take a condition beside their input. */
class Block extends nn.Module {
  readonly up = new nn.Linear({ in: WIDTH, out: 4 * WIDTH });
  readonly down = new nn.Linear({ in: 4 * WIDTH, out: WIDTH });

  forward(x: Tensor, condition: Tensor): Tensor {
    return scope(() => x.add(this.down.forward(this.up.forward(x.mul(condition)).gelu())));
  }
}

class Stack extends nn.Module {
  readonly blocks = Array.from({ length: 4 }, () => new Block());

  forward(x: Tensor, condition: Tensor, checkpointed: boolean): Tensor {
    return scope(() =>
      this.blocks.reduce(
        (y, block) =>
          checkpointed ? checkpoint((a, b) => block.forward(a, b), [y, condition]) : block.forward(y, condition),
        x,
      ),
    );
  }
}

const values = (tensor: Tensor | null) => (tensor ? [...tensor.toTypedArray()].map(Number) : null);
const backwardApart = (loss: Tensor) => native.backward([loss.handle], null, false, false, true);

describe("checkpoint", () => {
  const build = () => {
    manualSeed(1);
    const stack = new Stack();
    return { stack, x: randn([8, WIDTH]).requiresGrad_(), condition: randn([8, WIDTH]).requiresGrad_() };
  };
  /** The loss and all gradients of one pass. */
  function pass(checkpointed: boolean, backward = (loss: Tensor) => loss.backward(), bf16 = false) {
    const { stack, x, condition } = build();
    const loss = autocast({ enabled: bf16 }, () => {
      // The condition is used outside the checkpoints too: its gradients must add up.
      return stack.forward(x, condition.mul(1), checkpointed).mul(condition).float().square().mean();
    });
    backward(loss);
    return [loss, x.grad, condition.grad, ...stack.parameters().map(({ grad: gradient }) => gradient)].map(values);
  }

  it("gives the same loss and the same gradients, to the bit", () => {
    const plain = pass(false);
    expect(plain.every((gradient) => gradient?.some((value) => value !== 0))).toBe(true);
    expect(pass(true)).toEqual(plain);
  });

  it("gives the same under autocast, which is on again the second time", () => {
    expect(pass(true, undefined, true)).toEqual(pass(false, undefined, true));
    expect(pass(true, undefined, true)).not.toEqual(pass(true));
  });

  it("calls back from a backward pass on LibTorch's threads", () => {
    expect(pass(true, backwardApart)).toEqual(pass(false));
    expect(pass(false, backwardApart)).toEqual(pass(false));
  });

  it.skipIf(sanitized)("keeps the inputs of a block instead of all that is computed in it", () => {
    manualSeed(2);
    const stack = new Stack();
    const [x, condition] = [randn([4096, WIDTH]), randn([4096, WIDTH])];
    const kept = (checkpointed: boolean) => {
      const before = heapBytes();
      const y = stack.forward(x, condition, checkpointed);
      const bytes = heapBytes() - before;
      y.sum().backward(); // frees the graph
      y.dispose();
      return bytes;
    };
    kept(true);
    const [without, withIt] = [kept(false), kept(true)];
    const row = 4096 * WIDTH * 4;
    // A block keeps its product (1 row) and two layers inside (4 rows each); a checkpoint its input (1 row).
    expect(without).toBeGreaterThan(4 * 9 * row);
    expect(withIt).toBeLessThan(6 * row);
  });

  it("leaves no tensors and no memory behind", () => {
    const { stack, x, condition } = build();
    const step = () => {
      scope(() => stack.forward(x, condition, true).sum().backward());
      stack.zeroGrad();
      x.grad = null;
      condition.grad = null;
    };
    step();
    const before = liveTensors();
    for (let i = 0; i < 5; i++) step();
    expect(liveTensors()).toBe(before);
  });

  it("takes and gives several tensors, with and without gradients", () => {
    const a = randn([3, 4]).requiresGrad_();
    const frozen = randn([3, 4]);
    const index = randint(0, 3, [5]);
    const run = (x: Tensor, y: Tensor, i: Tensor) => [x.mul(y).sin(), x.indexSelect(0, i), i.add(1)];
    const [first, second, third] = checkpoint(run, [a, frozen, index]);
    expect(third.tolist()).toEqual(run(a, frozen, index)[2].tolist());
    cat([first.sum().view([1]), second.square().sum().view([1])])
      .sum()
      .backward();
    const gradient = values(a.grad);
    a.grad = null;
    const [plainFirst, plainSecond] = run(a, frozen, index);
    plainFirst.sum().add(plainSecond.square().sum()).backward();
    expect(gradient).toEqual(values(a.grad));
    expect(frozen.grad).toBeNull();
  });

  it("reaches parameters though no input has a gradient, and nests", () => {
    const { stack, x, condition } = build();
    const inputs = [x.detach(), condition.detach()];
    checkpoint((a, b) => checkpoint((c, d) => stack.forward(c, d, true), [a, b]).square(), inputs)
      .sum()
      .backward();
    const nested = stack.parameters().map(({ grad: gradient }) => values(gradient));
    stack.zeroGrad();
    stack.forward(inputs[0], inputs[1], false).square().sum().backward();
    expect(nested).toEqual(stack.parameters().map(({ grad: gradient }) => values(gradient)));
  });

  it("runs once, plainly, without gradients", () => {
    let calls = 0;
    const y = noGrad(() =>
      checkpoint(
        (x) => {
          calls++;
          return x.mul(2);
        },
        [randn([2])],
      ),
    );
    expect([calls, y.requiresGrad]).toEqual([1, false]);
  });

  describe("what is drawn inside", () => {
    const x = randn([64], { generator: new Generator(8) });
    /** Gradients of Σ 0.5 · (input · drawn)², where `draw` is called in the block. */
    function drawn(draw: () => Tensor, checkpointed: boolean, backward = (loss: Tensor) => loss.backward()) {
      const input = x.clone().requiresGrad_();
      const block = (t: Tensor) => t.mul(draw()).square().mul(0.5);
      const y = checkpointed ? checkpoint(block, [input]) : block(input);
      backward(y.sum());
      return [values(y), values(input.grad)];
    }

    it("from the default generator is the same the second time, and the stream goes on as without", () => {
      const run = (checkpointed: boolean, backward?: (loss: Tensor) => void) => {
        manualSeed(3);
        return [drawn(() => randn([64]), checkpointed, backward), values(randn([4]))];
      };
      const plain = run(false);
      expect(run(true)).toEqual(plain);
      expect(run(true, backwardApart)).toEqual(plain);
    });

    it("from generators of one's own too, in nested checkpoints, and when the graph passes twice", () => {
      const run = (checkpointed: boolean) => {
        const [a, b] = [new Generator(1), new Generator(2)];
        randn([5], { generator: a });
        const inner = () => {
          const t = randn([64], { generator: a });
          const one = t.add(1);
          return checkpointed
            ? checkpoint((z) => z.mul(randn([64], { generator: b })), [one])
            : one.mul(randn([64], { generator: b }));
        };
        const result = drawn(inner, checkpointed, (loss) => {
          randn([3], { generator: b }); // drawn between forward and backward by somebody else
          loss.backward(undefined, { retainGraph: true });
          loss.backward();
        });
        return [result, values(randn([4], { generator: a })), values(randn([4], { generator: b }))];
      };
      expect(run(true)).toEqual(run(false));
    });
  });

  it("passes on what the function throws, at either time", () => {
    const x = randn([2]).requiresGrad_();
    const failing = (time: number) => {
      let calls = 0;
      return (t: Tensor) => {
        if (++calls === time) throw new Error(`time ${time}`);
        return t.mul(2);
      };
    };
    expect(() => checkpoint(failing(1), [x])).toThrow("time 1");
    const y = checkpoint(failing(2), [x]).sum();
    expect(() => y.backward()).toThrow("time 2");
    const z = checkpoint(failing(2), [x]).sum();
    expect(() => backwardApart(z)).toThrow("time 2");
    expect(() => checkpoint(() => 3 as unknown as Tensor, [x])).toThrow();
  });

  it("passes backward once, unless the graph is kept, and has first derivatives only", () => {
    const x = randn([2], { generator: new Generator(0) }).requiresGrad_();
    const once = checkpoint((t) => t.square(), [x]).sum();
    once.backward(undefined, { retainGraph: true });
    once.backward();
    expect(values(x.grad)).toEqual(values(x.mul(4)));
    expect(() => once.backward()).toThrow(/already passed backward/);
    const second = checkpoint((t) => t.square(), [x]).sum();
    expect(() => grad(second, [x], { createGraph: true })).toThrow(/first derivatives only/);
  });
});
