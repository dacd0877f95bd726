"""The nano preset's training step (encoder + masked transformer decoder, L1, backward, clip, Muon + AdamW, average),
written with PyTorch as a user of PyTorch would. bench/train-step.mjs runs the same step with @omni-id/torch in the
same run and prints the ratio.

usage: mtd_step.py float32|bfloat16 THREADS STEPS  ->  one JSON line {"seconds": [...], "losses": [...]}
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

precision, threads, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(0)

WIDTH, CONTEXT, TOKENS, HEAD = 128, 256, 32, 32
PEOPLE, INPUTS, TARGETS, IMAGE_TOKENS, CHOSEN, GRID = 16, 3, 8, 49, 112, 256


class Attention(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.heads = width // HEAD
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(context, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, z):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(z).chunk(2, -1)
        q, k, v = split(self.q(x)), split(k), split(v)
        # Faster than F.scaled_dot_product_attention on the CPU at these sizes in bfloat16.
        weights = ((q * HEAD**-0.5) @ k.transpose(-1, -2)).softmax(-1).to(v.dtype)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, context=None):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(context) if context else None
        self.attn = Attention(width, context or width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x, z=None):
        h = self.norm1(x)
        x = x + self.attn(h, h if z is None else self.norm_context(z))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(1024, CONTEXT)
        self.position = nn.Parameter(torch.randn(IMAGE_TOKENS, CONTEXT) * 0.02)
        self.query = nn.Parameter(torch.randn(TOKENS, WIDTH) * 0.5)
        self.cross_blocks = nn.ModuleList(Block(WIDTH, CONTEXT) for _ in range(2))
        self.self_blocks = nn.ModuleList(Block(WIDTH) for _ in range(2))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, maps):
        z = (self.project(maps.float()) + self.position).reshape(PEOPLE, INPUTS * IMAGE_TOKENS, CONTEXT)
        x = self.query.expand(PEOPLE, -1, -1)
        for block in self.cross_blocks:
            x = block(x, z)
        for block in self.self_blocks:
            x = block(x)
        return self.norm(x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embedding = nn.Linear(48, WIDTH)
        self.mask_token = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.position = nn.Parameter(torch.randn(GRID, WIDTH) * 0.02)
        self.pose_blocks = nn.ModuleList(Block(WIDTH) for _ in range(2))
        self.cross_blocks = nn.ModuleList(Block(WIDTH, WIDTH) for _ in range(2))
        self.self_blocks = nn.ModuleList(Block(WIDTH) for _ in range(2))
        self.norm = nn.LayerNorm(WIDTH)
        self.to_pixels = nn.Linear(WIDTH, 48)

    def forward(self, patches, index, visible, identity):
        embedded = self.patch_embedding(patches)
        x = torch.where(visible[..., None], embedded, self.mask_token.to(embedded.dtype)) + self.position[index]
        for block in self.pose_blocks:
            x = block(x)
        for block in self.cross_blocks:
            x = block(x, identity)
        for block in self.self_blocks:
            x = block(x)
        return self.to_pixels(self.norm(x)).float()


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr):
        super().__init__(list(parameters), dict(lr=lr, momentum=0.95, weight_decay=0.01))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state["momentum"], group["momentum"])
                shapes.setdefault(tuple(p.shape), []).append((p, update))
            for (rows, columns), entries in shapes.items():
                x = torch.stack([u for _, u in entries]).to(torch.bfloat16 if precision == "bfloat16" else torch.float32)
                x = x.mT if rows > columns else x
                x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
                for _ in range(5):
                    a = x @ x.mT
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                x = x.mT if rows > columns else x
                for (p, _), u in zip(entries, x):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(u.to(p.dtype), alpha=-group["lr"] * max(1, rows / columns) ** 0.5)


encoder, decoder = Encoder(), Decoder()
named = [*encoder.named_parameters(), *decoder.named_parameters()]
hidden = [p for n, p in named if p.ndim == 2 and "blocks." in n]
rest = [p for n, p in named if not (p.ndim == 2 and "blocks." in n)]
optimisers = [Muon(hidden, 0.02), torch.optim.AdamW(rest, 1e-3, betas=(0.9, 0.99), weight_decay=0.0, foreach=True)]
average = [p.detach().clone() for _, p in named]

maps = torch.randn(PEOPLE * INPUTS, IMAGE_TOKENS, 1024).half()
patches = torch.rand(PEOPLE * TARGETS, CHOSEN, 48) * 2 - 1
mask = (torch.rand(PEOPLE * TARGETS, CHOSEN, 48) < 0.8).float()
index = torch.rand(PEOPLE * TARGETS, GRID).argsort(1)[:, :CHOSEN]
visible = torch.arange(CHOSEN).lt(13).expand(PEOPLE * TARGETS, -1)

seconds, losses = [], []
for step in range(steps):
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        identity = encoder(maps).repeat_interleave(TARGETS, 0)
        decoded = decoder(patches, index, visible, identity)
    loss = ((decoded - patches).abs() * mask).sum() / mask.sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    with torch.no_grad():
        torch._foreach_mul_(average, 0.995)
        torch._foreach_add_(average, [p.detach() for _, p in named], alpha=0.005)
    losses.append(loss.item())
    seconds.append(time.perf_counter() - began)
print(json.dumps({"seconds": seconds, "losses": losses, "torch": torch.__version__}))
