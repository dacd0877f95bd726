"""The models behind golden.py, told once more: functions of a state dict in upstream's names, written in PyTorch from
the published formulas, with nothing shared with packages/omni-id."""
import ast

import numpy as np
import torch
import torch.nn.functional as F


class Weights:
    """A state dict below a prefix. While `new` is set, weights that are asked for and missing are drawn."""

    def __init__(self, tensors, prefix="", new=False):
        self.tensors, self.prefix, self.new = tensors, prefix, new

    def at(self, name):
        return Weights(self.tensors, f"{self.prefix}{name}.", self.new)

    def get(self, name, shape, spread, around=0.0):
        key = self.prefix + name
        if self.new and key not in self.tensors:
            self.tensors[key] = around + spread * torch.randn(shape)
        return self.tensors[key]

    def linear(self, name, x, out, bias=True):
        weight = self.get(f"{name}.weight", (out, x.shape[-1]), x.shape[-1] ** -0.5)
        return F.linear(x, weight, self.get(f"{name}.bias", (out,), 0.1) if bias else None)

    def conv(self, name, x, out, kernel=3, bias=True, **options):
        weight = self.get(f"{name}.weight", (out, x.shape[1], kernel, kernel), (x.shape[1] * kernel**2) ** -0.5)
        return F.conv2d(x, weight, self.get(f"{name}.bias", (out,), 0.1) if bias else None, **options)

    def norm(self, name, x, kind, eps):
        """kind: "layer", or a number of groups"""
        n = x.shape[-1] if kind == "layer" else x.shape[1]
        weight, bias = self.get(f"{name}.weight", (n,), 0.1, 1.0), self.get(f"{name}.bias", (n,), 0.1)
        return F.layer_norm(x, (n,), weight, bias, eps) if kind == "layer" else F.group_norm(x, kind, weight, bias, eps)


def attend(q, k, v, scale=None, bias=0.0):
    return ((q @ k.transpose(-1, -2)) * (q.shape[-1] ** -0.5 if scale is None else scale) + bias).softmax(-1) @ v


heads = lambda x, n: x.unflatten(-1, (n, -1)).transpose(1, 2)
join = lambda x: x.transpose(1, 2).flatten(2)
rms = lambda x, factor, eps=1e-6: x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * factor


# --- FLUX ------------------------------------------------------------------------------------------------------------

def sinusoid(t):
    angle = 1000 * t[:, None] * torch.exp(-np.log(10000) * torch.arange(128) / 128)
    return torch.cat([angle.cos(), angle.sin()], 1)


def rotations(ids, c):
    axes = [ids[..., i, None].double() * c["theta"] ** -(torch.arange(0, d, 2).double() / d) for i, d in enumerate(c["axes_dim"])]
    return torch.cat(axes, -1).float()[:, None]


def turn(x, angle):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1).flatten(-2)


def embedder(w, name, x, width):
    return w.linear(f"{name}.out_layer", F.silu(w.linear(f"{name}.in_layer", x, width)), width)


def modulate(x, shift, scale):
    return (1 + scale[:, None]) * F.layer_norm(x, x.shape[-1:], eps=1e-6) + shift[:, None]


def qkv_of(w, name, x, c, bias):
    return [heads(part, c["num_heads"]) for part in w.linear(name, x, 3 * c["hidden_size"], bias).chunk(3, -1)]


def normed(w, name, q, k):
    size = q.shape[-1:]
    factor = lambda which: w.get(f"{name}.{which}_norm.scale", size, 0.1, 1.0)
    return rms(q, factor("query")), rms(k, factor("key"))


def double_block(w, img, txt, vec, angle, c, identity=None):
    width, hidden = c["hidden_size"], int(c["hidden_size"] * c["mlp_ratio"])
    streams, sides = {"img": img, "txt": txt}, {}
    for side, x in streams.items():
        mod = w.linear(f"{side}_mod.lin", F.silu(vec), 6 * width).chunk(6, -1)
        q, k, v = qkv_of(w, f"{side}_attn.qkv", modulate(x, *mod[:2]), c, c["qkv_bias"])
        sides[side] = (mod, *normed(w, f"{side}_attn.norm", q, k), v)
    q, k, v = [torch.cat([sides["txt"][i], sides["img"][i]], 2) for i in (1, 2, 3)]
    answer = join(attend(turn(q, angle), turn(k, angle), v))
    answers = {"txt": answer[:, : txt.shape[1]], "img": answer[:, txt.shape[1] :]}
    for side, x in streams.items():
        mod = sides[side][0]
        x = x + mod[2][:, None] * w.linear(f"{side}_attn.proj", answers[side], width)
        inner = F.gelu(w.linear(f"{side}_mlp.0", modulate(x, *mod[3:5]), hidden), approximate="tanh")
        streams[side] = x + mod[5][:, None] * w.linear(f"{side}_mlp.2", inner, width)
    if identity:
        ip, tokens, scale = identity
        k, v = [heads(ip.linear(f"processor.ip_adapter_double_stream_{n}_proj", tokens, width), c["num_heads"]) for n in "kv"]
        streams["img"] = streams["img"] + scale * join(attend(sides["img"][1], k, v))
    return streams["img"], streams["txt"]


def single_block(w, x, vec, angle, c):
    width, hidden = c["hidden_size"], int(c["hidden_size"] * c["mlp_ratio"])
    shift, scale, gate = w.linear("modulation.lin", F.silu(vec), 3 * width).chunk(3, -1)
    qkv, inner = w.linear("linear1", modulate(x, shift, scale), 3 * width + hidden).split([3 * width, hidden], -1)
    q, k, v = [heads(part, c["num_heads"]) for part in qkv.chunk(3, -1)]
    q, k = normed(w, "norm", q, k)
    both = torch.cat([join(attend(turn(q, angle), turn(k, angle), v)), F.gelu(inner, approximate="tanh")], -1)
    return x + gate[:, None] * w.linear("linear2", both, width)


def trunk(w, io, c, extra=None):
    width = c["hidden_size"]
    img = w.linear("img_in", io["img"], width)
    vec = embedder(w, "time_in", sinusoid(io["timesteps"]), width) + embedder(w, "vector_in", io["y"], width)
    if c["guidance_embed"]:
        vec = vec + embedder(w, "guidance_in", sinusoid(io["guidance"]), width)
    txt = w.linear("txt_in", io["txt"], width)
    return img if extra is None else img + extra, txt, vec, rotations(torch.cat([io["txt_ids"], io["img_ids"]], 1), c)


def flux(w, io, c, identity=None, residuals=()):
    img, txt, vec, angle = trunk(w, io, c)
    for i in range(c["depth"]):
        ip = identity and (identity[0].at(f"double_blocks.{i}"), *identity[1:])
        img, txt = double_block(w.at(f"double_blocks.{i}"), img, txt, vec, angle, c, ip)
        if residuals:
            img = img + residuals[i % 2]
    x = torch.cat([txt, img], 1)
    for i in range(c["depth_single_blocks"]):
        x = single_block(w.at(f"single_blocks.{i}"), x, vec, angle, c)
    shift, scale = w.linear("final_layer.adaLN_modulation.1", F.silu(vec), 2 * c["hidden_size"]).chunk(2, -1)
    return w.linear("final_layer.linear", modulate(x[:, txt.shape[1] :], shift, scale), c["in_channels"])


def controlnet(w, io, cond, c, depth):
    hint = cond
    for i, stride in enumerate([1, 1, 2, 1, 2, 1, 2, 1]):
        hint = w.conv(f"input_hint_block.{2 * i}", F.silu(hint) if i else hint, c["in_channels"] // 4, padding=1, stride=stride)
    tokens = F.pixel_unshuffle(hint, 2).flatten(2).transpose(1, 2)
    img, txt, vec, angle = trunk(w, io, c, w.linear("pos_embed_input", tokens, c["hidden_size"]))
    residuals = []
    for i in range(depth):
        img, txt = double_block(w.at(f"double_blocks.{i}"), img, txt, vec, angle, c)
        residuals.append(w.linear(f"controlnet_blocks.{i}", img, c["hidden_size"]))
    return residuals


# --- autoencoder -----------------------------------------------------------------------------------------------------

def resnet(w, x, out, groups):
    h = w.conv("conv1", F.silu(w.norm("norm1", x, groups, 1e-6)), out, padding=1)
    h = w.conv("conv2", F.silu(w.norm("norm2", h, groups, 1e-6)), out, padding=1)
    return h + (x if x.shape[1] == out else w.conv("nin_shortcut", x, out, 1))


def middle(w, x, groups):
    x = resnet(w.at("block_1"), x, x.shape[1], groups)
    h, a = w.norm("attn_1.norm", x, groups, 1e-6), w.at("attn_1")
    q, k, v = [a.conv(n, h, x.shape[1], 1).flatten(2).transpose(1, 2) for n in "qkv"]
    x = x + a.conv("proj_out", attend(q, k, v).transpose(1, 2).unflatten(2, x.shape[2:]), x.shape[1], 1)
    return resnet(w.at("block_2"), x, x.shape[1], groups)


def encode(w, image, a):
    h = w.conv("conv_in", image, a["ch"], padding=1)
    for i, mult in enumerate(a["ch_mult"]):
        for j in range(a["res_blocks"]):
            h = resnet(w.at(f"down.{i}.block.{j}"), h, a["ch"] * mult, a["groups"])
        if i + 1 < len(a["ch_mult"]):
            h = w.conv(f"down.{i}.downsample.conv", F.pad(h, (0, 1, 0, 1)), h.shape[1], stride=2)
    return w.conv("conv_out", F.silu(w.norm("norm_out", middle(w.at("mid"), h, a["groups"]), a["groups"], 1e-6)), 2 * a["z"], padding=1)


def decode(w, z, a):
    h = middle(w.at("mid"), w.conv("conv_in", z, a["ch"] * a["ch_mult"][-1], padding=1), a["groups"])
    for i, mult in reversed(list(enumerate(a["ch_mult"]))):
        for j in range(a["res_blocks"] + 1):
            h = resnet(w.at(f"up.{i}.block.{j}"), h, a["ch"] * mult, a["groups"])
        if i > 0:
            h = w.conv(f"up.{i}.upsample.conv", F.interpolate(h, scale_factor=2.0), h.shape[1], padding=1)
    return w.conv("conv_out", F.silu(w.norm("norm_out", h, a["groups"], 1e-6)), 3, padding=1)


def ae_sizes(text):
    found = dict(part.split("=") for part in text.split())
    return {**{k: int(found[k]) for k in ("ch", "res_blocks", "z")}, "ch_mult": [int(m) for m in found["ch_mult"].split(",")],
            "scale": float(found["scale"]), "shift": float(found["shift"]), "groups": int(found.get("groups", 32))}


def flux_family(t, meta, new):
    c, out = ast.literal_eval(meta["config"]), {}
    w = lambda part: Weights(t, f"{part}.weights.", new)
    io = {key[8:]: value for key, value in t.items() if key.startswith("flux.io.")}
    out["flux.io.output"] = flux(w("flux"), io, c)
    identity = (w("ip"), t["ip.io.image_proj"], t["ip.io.scale"])
    out["ip.io.output"] = flux(w("flux"), io, c, identity)
    residuals = controlnet(w("controlnet"), io, t["controlnet.io.cond"], c, int(meta["controlnet_depth"]))
    out.update({f"controlnet.io.residual.{i}": r for i, r in enumerate(residuals)})
    out["controlnet.io.output"] = flux(w("flux"), io, c, identity, residuals)
    a = ae_sizes(meta["ae"])
    moments = out["ae.io.moments"] = encode(w("ae").at("encoder"), t["ae.io.image"], a)
    mean = moments[:, : a["z"]]
    out["ae.io.decoded_from_mean"] = decode(w("ae").at("decoder"), mean, a)
    out["ae.io.decode"] = decode(w("ae").at("decoder"), mean / a["scale"] + a["shift"], a)
    return out


# --- text and image encoders -----------------------------------------------------------------------------------------

def clip_layers(w, x, depth, n, hidden, act, bias=0.0):
    gelu = {"gelu": F.gelu, "quick_gelu": lambda h: h * torch.sigmoid(1.702 * h)}[act]
    for i in range(depth):
        l, width = w.at(f"layers.{i}"), x.shape[-1]
        h = l.norm("layer_norm1", x, "layer", 1e-5)
        q, k, v = [heads(l.linear(f"self_attn.{m}_proj", h, width), n) for m in "qkv"]
        x = x + l.linear("self_attn.out_proj", join(attend(q, k, v, bias=bias)), width)
        x = x + l.linear("mlp.fc2", gelu(l.linear("mlp.fc1", l.norm("layer_norm2", x, "layer", 1e-5), hidden)), width)
    return x


def clip_family(t, meta, new):
    c, w = ast.literal_eval(meta["config"]), Weights(t, "weights.", new)
    v, pixels, ids = w.at("vision_model"), t["io.pixel_values"], t["io.input_ids"]
    size, width, patch = pixels.shape[0], c["hidden_size"], c["patch_size"]
    patches = v.conv("embeddings.patch_embedding", pixels, width, patch, False, stride=patch).flatten(2).transpose(1, 2)
    first = v.get("embeddings.class_embedding", (width,), 1.0).expand(size, 1, -1)
    x = torch.cat([first, patches], 1)
    x = x + v.get("embeddings.position_embedding.weight", (x.shape[1], width), 0.5)
    x = v.norm("pre_layrnorm", x, "layer", 1e-5)
    x = clip_layers(v.at("encoder"), x, c["num_hidden_layers"], c["num_attention_heads"], c["intermediate_size"], c["hidden_act"])
    image = w.linear("visual_projection", v.norm("post_layernorm", x[:, 0], "layer", 1e-5), c["projection_dim"], False)
    s, width, n = w.at("text_model"), c["text_hidden"], ids.shape[1]
    words = s.get("embeddings.token_embedding.weight", (c["vocab_size"], width), 1.0)[ids]
    h = words + s.get("embeddings.position_embedding.weight", (c["max_position_embeddings"], width), 0.5)[:n]
    causal = torch.full((n, n), float("-inf")).triu(1)
    h = clip_layers(s.at("encoder"), h, c["text_layers"], c["text_heads"], 4 * width, c["hidden_act"], causal)
    h = s.norm("final_layer_norm", h, "layer", 1e-5)
    text = w.linear("text_projection", h[torch.arange(size), ids.argmax(-1)], c["projection_dim"], False)
    return {"io.last_hidden_state": x, "io.image_embeds": image, "io.text_embeds": text}


def buckets(n, count, furthest):
    """T5's relative positions, both directions: half of the buckets a side, half of these exact, the rest logarithmic."""
    offset = torch.arange(n)[None] - torch.arange(n)[:, None]
    half, exact, distance = count // 2, count // 4, offset.abs()
    far = exact + (torch.log(distance.clamp(min=1) / exact) / np.log(furthest / exact) * (half - exact)).long()
    return (offset > 0).long() * half + torch.where(distance < exact, distance, far.clamp(max=half - 1))


def t5_family(t, meta, new):
    c, w, ids = ast.literal_eval(meta["config"]), Weights(t, "weights.", new), t["io.input_ids"]
    width, n, inner = c["d_model"], c["num_heads"], c["num_heads"] * c["d_kv"]
    x = w.get("shared.weight", (c["vocab_size"], width), 1.0)[ids]
    table = w.get("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", (c["relative_attention_num_buckets"], n), 1.0)
    bias = table[buckets(ids.shape[1], c["relative_attention_num_buckets"], c["relative_attention_max_distance"])].permute(2, 0, 1)
    norm = lambda name, x: rms(x, w.get(f"encoder.{name}.weight", (width,), 0.1, 1.0))
    for i in range(c["num_layers"]):
        a, h = w.at(f"encoder.block.{i}.layer.0.SelfAttention"), norm(f"block.{i}.layer.0.layer_norm", x)
        q, k, v = [heads(a.linear(m, h, inner, False), n) for m in "qkv"]
        x = x + a.linear("o", join(attend(q, k, v, 1.0, bias)), width, False)
        f, h = w.at(f"encoder.block.{i}.layer.1.DenseReluDense"), norm(f"block.{i}.layer.1.layer_norm", x)
        gated = F.gelu(f.linear("wi_0", h, c["d_ff"], False), approximate="tanh") * f.linear("wi_1", h, c["d_ff"], False)
        x = x + f.linear("wo", gated, width, False)
    return {"io.last_hidden_state": norm("final_layer_norm", x)}
