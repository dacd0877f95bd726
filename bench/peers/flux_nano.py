"""FLUX-nano's training step (forward, mean square, backward) and its forward pass, written with PyTorch as a user of
PyTorch would. bench/flux-nano.mjs runs the same with @omni-id/torch in the same run and prints the ratio.

usage: flux_nano.py float32|bfloat16 THREADS STEPS [BATCH]  ->  one JSON line {"seconds": [...], "samplingSeconds": [...]}
"""
import json
import math
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

precision, threads, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BATCH = int(sys.argv[4]) if len(sys.argv) > 4 else 64
torch.set_num_threads(threads)
torch.manual_seed(0)

WIDTH, HEADS, CHANNELS, CONTEXT, VECTOR, IMAGE, TEXT = 256, 8, 48, 64, 64, 64, 24
AXES = [8, 12, 12]


def rope_table(ids):
    parts = []
    for axis, channels in enumerate(AXES):
        omega = 10000.0 ** -(torch.arange(0, channels, 2).double() / channels)
        parts.append(ids[:, axis, None].double() * omega)
    angle = torch.cat(parts, -1).float()
    return torch.polar(torch.ones_like(angle), angle)[None, None]


def rotate(x, table):
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * table).flatten(-2)


class RMSNorm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(n))

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.scale


class QKNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.query_norm, self.key_norm = RMSNorm(WIDTH // HEADS), RMSNorm(WIDTH // HEADS)

    def forward(self, qkv):
        q, k, v = qkv.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return self.query_norm(q), self.key_norm(k), v


def attention(q, k, v, table):
    q, k = rotate(q, table).to(v.dtype), rotate(k, table).to(v.dtype)
    # Faster than F.scaled_dot_product_attention on the CPU at these sizes in bfloat16.
    weights = ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)).softmax(-1).to(v.dtype)
    return (weights @ v).transpose(1, 2).flatten(2)


def modulated(x, shift, scale):
    return (1 + scale) * F.layer_norm(x, (WIDTH,), eps=1e-6) + shift


class Modulation(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers, self.lin = layers, nn.Linear(WIDTH, 3 * layers * WIDTH)

    def forward(self, vec):
        return self.lin(F.silu(vec))[:, None].chunk(3 * self.layers, -1)


class Stream(nn.Module):
    def __init__(self):
        super().__init__()
        self.mod, self.qkv, self.norm = Modulation(2), nn.Linear(WIDTH, 3 * WIDTH), QKNorm()
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU("tanh"), nn.Linear(4 * WIDTH, WIDTH))


class DoubleBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.img, self.txt = Stream(), Stream()

    def forward(self, img, txt, vec, table):
        mods = [side.mod(vec) for side in (self.txt, self.img)]
        parts = [side.norm(side.qkv(modulated(x, *mod[:2]))) for side, mod, x in zip((self.txt, self.img), mods, (txt, img))]
        q, k, v = [torch.cat(both, 2) for both in zip(*parts)]
        answer = attention(q, k, v, table)
        out = []
        for side, mod, x, a in zip((self.txt, self.img), mods, (txt, img), (answer[:, :TEXT], answer[:, TEXT:])):
            x = x + mod[2] * side.proj(a)
            out.append(x + mod[5] * side.mlp(modulated(x, *mod[3:5])))
        return out[1], out[0]


class SingleBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(WIDTH, 7 * WIDTH), nn.Linear(5 * WIDTH, WIDTH)
        self.norm, self.modulation = QKNorm(), Modulation(1)

    def forward(self, x, vec, table):
        shift, scale, gate = self.modulation(vec)
        qkv, hidden = self.linear1(modulated(x, shift, scale)).split([3 * WIDTH, 4 * WIDTH], -1)
        answer = attention(*self.norm(qkv), table)
        return x + gate * self.linear2(torch.cat([answer, F.gelu(hidden, approximate="tanh")], -1))


def embedder(n):
    return nn.Sequential(nn.Linear(n, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))


class Flux(nn.Module):
    def __init__(self):
        super().__init__()
        self.img_in, self.txt_in = nn.Linear(CHANNELS, WIDTH), nn.Linear(CONTEXT, WIDTH)
        self.time_in, self.vector_in = embedder(256), embedder(VECTOR)
        self.double_blocks = nn.ModuleList(DoubleBlock() for _ in range(2))
        self.single_blocks = nn.ModuleList(SingleBlock() for _ in range(4))
        self.linear, self.last = nn.Linear(WIDTH, CHANNELS), nn.Linear(WIDTH, 2 * WIDTH)

    def forward(self, img, ids, txt, t, y):
        angle = 1000 * t[:, None] * torch.exp(-math.log(10000) * torch.arange(128) / 128)
        vec = self.time_in(torch.cat([angle.cos(), angle.sin()], 1)) + self.vector_in(y)
        img, txt, table = self.img_in(img).float(), self.txt_in(txt).float(), rope_table(ids)
        for block in self.double_blocks:
            img, txt = block(img, txt, vec, table)
        x = torch.cat([txt, img], 1)
        for block in self.single_blocks:
            x = block(x, vec, table)
        shift, scale = self.last(F.silu(vec))[:, None].chunk(2, -1)
        return self.linear(modulated(x[:, TEXT:], shift, scale)).float()


flux = Flux()
side = int(IMAGE**0.5)
ids = torch.zeros(TEXT + IMAGE, 3)
ids[TEXT:, 1] = torch.arange(IMAGE) // side
ids[TEXT:, 2] = torch.arange(IMAGE) % side
inputs = torch.randn(BATCH, IMAGE, CHANNELS), ids, torch.randn(BATCH, TEXT, CONTEXT), torch.rand(BATCH), torch.randn(BATCH, VECTOR)
target = torch.randn(BATCH, IMAGE, CHANNELS)


def forward():
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        return flux(*inputs)


seconds, sampling = [], []
for _ in range(steps):
    began = time.perf_counter()
    (forward() - target).square().mean().backward()
    seconds.append(time.perf_counter() - began)
    flux.zero_grad(set_to_none=True)
    began = time.perf_counter()
    with torch.no_grad():
        forward()
    sampling.append(time.perf_counter() - began)
print(json.dumps({"seconds": seconds, "samplingSeconds": sampling, "torch": torch.__version__}))
