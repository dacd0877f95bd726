"""What one call of a tiny operator costs in PyTorch: y = x + x on one element. -> one JSON line"""
import json
import time

import torch

torch.set_num_threads(1)
x = torch.ones(1)
CALLS = 20_000
times = []
with torch.no_grad():
    for _ in range(12):
        began = time.perf_counter()
        for _ in range(CALLS):
            x + x
        times.append(1e6 * (time.perf_counter() - began) / CALLS)
print(json.dumps({"microseconds": sorted(times)[6], "torch": torch.__version__}))
