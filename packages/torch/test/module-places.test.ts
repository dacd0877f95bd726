import { liveTensors, nn, noGrad, optim, scope, type Tensor, tensor, zeros } from "@omni-id/torch";
import { describe, expect, test } from "vitest";

/** Tied as the input and the output of a language model are; parameters in a list; one module knows the one above. */
class Tied extends nn.Module {
  readonly embedding = new nn.Embedding({ num: 5, dim: 3 });
  readonly head = new nn.Linear({ in: 3, out: 5, bias: false });
  readonly scales = [nn.parameter(zeros([2])), nn.buffer(zeros([3])), nn.parameter(zeros([2]))];
  constructor() {
    super();
    (this.head as { weight: Tensor }).weight = this.embedding.weight;
  }
}
class Child extends nn.Module {
  readonly own = nn.parameter(zeros([1]));
  readonly above: nn.Module;
  constructor(above: nn.Module) {
    super();
    this.above = above;
  }
}
class Parent extends nn.Module {
  readonly children = [new Child(this), new Child(this)];
  readonly self = this;
}

describe("tied weights", () => {
  test("are one parameter with two keys", () => {
    const model = new Tied();
    expect(model.parameters()).toHaveLength(3);
    expect(model.namedParameters().map(([key]) => key)).toEqual(["embedding.weight", "scales.0", "scales.2"]);
    expect([...model.stateDict().keys()]).toEqual([
      "embedding.weight",
      "head.weight",
      "scales.0",
      "scales.1",
      "scales.2",
    ]);
  });

  test("are stepped once, and an optimiser that is given one twice says so", () => {
    const step = (model: Tied, params: Tensor[]) => {
      noGrad(() => model.embedding.weight.fill_(1));
      model.embedding.weight.sum().backward();
      new optim.AdamW(params, { lr: 0.1, weightDecay: 0 }).step();
      return model.head.weight.at(0, 0).item();
    };
    const model = new Tied();
    expect(step(model, model.parameters())).toBeCloseTo(0.9, 5);
    const twice = [model.embedding.weight, model.head.weight];
    expect(() => new optim.AdamW(twice)).toThrow("AdamW: parameter 1 is parameter 0 once more");
    expect(() => new optim.Muon(twice)).toThrow("Muon: parameter 1 is parameter 0 once more");
  });

  test("stay tied after to() and after assigned weights, of which one key is enough", () => {
    const model = new Tied().to({ dtype: "float64" });
    expect(model.head.weight).toBe(model.embedding.weight);
    expect(model.head.weight.dtype).toBe("float64");
    for (const key of ["embedding.weight", "head.weight"]) {
      for (const assign of [true, false]) {
        const other = new Tied();
        const state = new Map([...new Tied().stateDict()].filter(([name]) => !name.endsWith(".weight")));
        state.set(key, tensor(Array.from({ length: 15 }, (_, i) => i)).unflatten(0, [5, 3]));
        other.loadStateDict(state, { assign });
        expect(other.head.weight).toBe(other.embedding.weight);
        expect(other.embedding.weight.at(4, 2).item()).toBe(14);
      }
    }
    const none = new Map([...model.stateDict()].filter(([name]) => !name.endsWith(".weight")));
    expect(() => model.loadStateDict(none)).toThrow(/missing \(2\).*embedding\.weight.*head\.weight/s);
  });
});

describe("lists of parameters", () => {
  test("are converted, assigned, and keep what they are", () => {
    const model = new Tied();
    model.scales[2].requiresGrad_(false);
    model.to({ dtype: "float64" });
    expect(model.scales.map((t) => t.dtype)).toEqual(["float64", "float64", "float64"]);
    expect(model.scales.map((t) => t.requiresGrad)).toEqual([true, false, false]);
    const state = new Map(model.stateDict());
    state.set("scales.0", tensor([7, 8]));
    model.loadStateDict(state, { assign: true });
    expect(model.scales[0].tolist()).toEqual([7, 8]);
    expect(model.namedBuffers().map(([key]) => key)).toEqual(["scales.1"]);
  });
});

describe("a module that refers to one above it", () => {
  test("has the state of a tree", () => {
    const parent = new Parent();
    expect([...parent.stateDict().keys()]).toEqual(["children.0.own", "children.1.own"]);
    expect([...parent.namedModules()].map(([path]) => path)).toEqual(["", "children.0", "children.1"]);
    expect(parent.to({ dtype: "float64" }).children[1].own.dtype).toBe("float64");
    expect(parent.eval().children[0].training).toBe(false);
    const before = liveTensors();
    scope(() => parent.zeroGrad());
    expect(liveTensors()).toBe(before);
  });
});
