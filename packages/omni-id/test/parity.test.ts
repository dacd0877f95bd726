import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadSafetensors, saveSafetensors, type Tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { checkParity } from "../src/parity/parity.ts";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.safetensors`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "omni-id-parity-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of a fixture with something changed. */
function changed(
  name: string,
  change: (tensors: Map<string, Tensor>, metadata: Record<string, string>) => void,
): string {
  const { tensors, metadata } = loadSafetensors(fixture(name));
  change(tensors, metadata);
  const path = join(folder, "changed.safetensors");
  saveSafetensors(path, tensors, { metadata });
  return path;
}

describe("parity", () => {
  it.each([
    [
      "flux-small",
      [
        "flux.output",
        "ip.output",
        "controlnet.residual.0",
        "controlnet.residual.1",
        "controlnet.output",
        "ae.moments",
        "ae.decoded_from_mean",
        "ae.decode",
      ],
    ],
    ["clip-tiny-gelu", ["clip.last_hidden_state", "clip.image_embeds", "clip.text_embeds"]],
    ["clip-tiny-quickgelu", ["clip.last_hidden_state", "clip.image_embeds", "clip.text_embeds"]],
    ["t5-tiny", ["t5.last_hidden_state"]],
  ])("passes on every output of %s", (name, outputs) => {
    const results = checkParity(fixture(name));
    expect(results.filter(({ pass }) => pass).map((result) => result.name)).toEqual(outputs);
  });

  it("fails where an output differs, is not a number, or has another shape", () => {
    const failing = (change: (output: Tensor) => Tensor) =>
      checkParity(
        changed("clip-tiny-gelu", (tensors) => {
          tensors.set("io.text_embeds", change(tensors.get("io.text_embeds") as Tensor));
        }),
      )
        .filter(({ pass }) => !pass)
        .map(({ name }) => name);
    expect(failing((output) => output.mul(1.001))).toEqual(["clip.text_embeds"]);
    expect(failing((output) => output.mul(Number.NaN))).toEqual(["clip.text_embeds"]);
    expect(failing((output) => output.flatten())).toEqual(["clip.text_embeds"]);
    expect(failing((output) => output)).toEqual([]);
  });

  it("checks the parts that a file has", () => {
    const path = changed("flux-small", (tensors) => {
      for (const key of [...tensors.keys()]) if (!key.startsWith("ae.")) tensors.delete(key);
    });
    expect(checkParity(path).map(({ name }) => name)).toEqual(["ae.moments", "ae.decoded_from_mean", "ae.decode"]);
  });

  it("reads sizes that are written as JSON too", () => {
    const path = changed("t5-tiny", (_, metadata) => {
      metadata.config = metadata.config.replaceAll("'", '"');
    });
    expect(checkParity(path)[0].pass).toBe(true);
  });

  it("says in one line why a file cannot be read", () => {
    const problem = (path: string) => {
      try {
        checkParity(path);
      } catch (error) {
        const { message } = error as Error;
        expect(message).not.toContain("\n");
        return message.replace(path, "FILE");
      }
      throw new Error("no error");
    };
    const without = (key: string) => problem(changed("flux-small", (tensors) => tensors.delete(key)));
    const half = join(folder, "half.safetensors");
    const bytes = readFileSync(fixture("t5-tiny"));
    writeFileSync(half, bytes.subarray(0, bytes.length / 2));
    expect(problem(half)).toMatch(/^FILE: the file is cut off: it has 77220 bytes and should have 154440/);
    writeFileSync(half, "no such thing");
    expect(problem(half)).toMatch(/^FILE: its header claims .* cut off, or no safetensors file$/);
    expect(problem(join(folder, "none.safetensors"))).toMatch(/ENOENT/);

    expect(without("flux.io.y")).toBe('FILE: the tensor "flux.io.y" is missing');
    expect(without("flux.weights.double_blocks.1.img_mlp.2.bias")).toBe(
      "FILE: Flux: these weights do not fit missing (1): double_blocks.1.img_mlp.2.bias",
    );
    expect(
      problem(
        changed("t5-tiny", (_, metadata) => {
          metadata.config = metadata.config.replace("'d_ff': 64", "'d_ff': 65");
        }),
      ),
    ).toMatch(/wi_0.weight is \[64, 32\], expected \[65, 32\]/);
    expect(problem(changed("t5-tiny", (_, metadata) => Reflect.deleteProperty(metadata, "config")))).toBe(
      'FILE: its metadata has no "config"',
    );
    expect(
      problem(
        changed("t5-tiny", (_, metadata) => {
          metadata.config = "{'d_model': 32";
        }),
      ),
    ).toBe("FILE: the metadata's \"config\" is no Python or JSON object: {'d_model': 32");
    expect(
      problem(
        changed("t5-tiny", (_, metadata) => {
          metadata.config = "{'d_model': 32}";
        }),
      ),
    ).toMatch(/^FILE: the metadata's "config": vocab_size: Invalid input/);
    expect(
      problem(
        changed("t5-tiny", (tensors) => {
          const one = tensors.get("io.input_ids") as Tensor;
          tensors.clear();
          tensors.set("other", one);
        }),
      ),
    ).toBe(
      'FILE: no golden vectors of FLUX, FLUX.2, CLIP, T5 or Qwen3 (its first tensor: "other"); see scripts/golden.py',
    );
    expect(problem(changed("t5-tiny", (tensors) => tensors.delete("io.last_hidden_state")))).toBe(
      "FILE: it holds weights but no outputs to compare with",
    );
  });
});
