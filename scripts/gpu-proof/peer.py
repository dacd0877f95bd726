"""FLUX.1-dev at full size with random weights by PyTorch alone, as in golden_models.py but with PyTorch's fused
attention: seconds of a step of the solver. Prints JSON.   python3 peer.py [--small] [--device cuda]
"""
import argparse
import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import golden_models as models  # noqa: E402

arguments = argparse.ArgumentParser()
arguments.add_argument("--device", default="cuda")
arguments.add_argument("--small", action="store_true")
options = arguments.parse_args()
models.attend = lambda q, k, v, scale=None, bias=0.0: F.scaled_dot_product_attention(q, k, v)
models.turn, models.sinusoid = [
    (lambda fn: lambda *a: fn(*[x.float() for x in a]).bfloat16())(fn) for fn in (models.turn, models.sinusoid)
]

full = not options.small
c = dict(hidden_size=3072, num_heads=24, depth=19, depth_single_blocks=38, axes_dim=[16, 56, 56]) if full else dict(
    hidden_size=64, num_heads=4, depth=1, depth_single_blocks=2, axes_dim=[4, 6, 6])
c |= dict(mlp_ratio=4, theta=10_000, qkv_bias=True, guidance_embed=True, in_channels=64)
tokens, words, context, vector = (1024, 512, 4096, 768) if full else (16, 8, 32, 16)
torch.set_default_device(options.device)
torch.set_default_dtype(torch.bfloat16)
weights = models.Weights({}, new=True)
wait = torch.cuda.synchronize if options.device.startswith("cuda") else lambda: None

results = {"torch": torch.__version__, "seconds": {}}
with torch.no_grad():
    for batch in (1, 8) if full else (1,):
        io = dict(
            img=torch.randn(batch, tokens, 64), txt=torch.randn(batch, words, context), y=torch.randn(batch, vector),
            timesteps=torch.rand(batch), guidance=torch.full((batch,), 3.5),
            img_ids=torch.zeros(batch, tokens, 3), txt_ids=torch.zeros(batch, words, 3))
        models.flux(weights, io, c)
        wait()
        times = 5 if full else 1
        started = time.perf_counter()
        for _ in range(times):
            models.flux(weights, io, c).float().sum().item()
        results["seconds"][batch] = (time.perf_counter() - started) / times
print(json.dumps(results))
