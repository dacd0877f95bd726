"""bench/data-parallel.mjs with PyTorch: one process with all threads, and two under DistributedDataParallel (Gloo).

usage: ddp.py THREADS STEPS  ->  one JSON line {"aloneSeconds", "seconds", "torch"}
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F

WIDTH, DEPTH, ROWS, RANKS = 512, 8, 1024, 2
threads, steps = int(sys.argv[1]), int(sys.argv[2])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


def measure(rows, parallel):
    torch.manual_seed(0)
    stack = nn.Sequential(*[Block() for _ in range(DEPTH)])
    model = nn.parallel.DistributedDataParallel(stack) if parallel else stack
    optimiser = torch.optim.AdamW(stack.parameters())
    x, y = torch.randn(rows, WIDTH), torch.randn(rows, WIDTH)
    seconds = []
    for step in range(steps + 2):
        began = time.perf_counter()
        F.mse_loss(model(x), y).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step > 1:
            seconds.append(time.perf_counter() - began)
    return sorted(seconds)[steps // 2]


if len(sys.argv) > 3:
    rank, store = int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=RANKS)
    taken = measure(ROWS // RANKS, True)
    dist.barrier()
    if rank == 0:
        print(taken)
else:
    torch.set_num_threads(threads)
    alone = measure(ROWS, False)
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "store")
        share = str(max(1, threads // RANKS))
        environment = {**os.environ, "OMP_NUM_THREADS": share, "GLOO_SOCKET_IFNAME": "lo"}
        command = lambda rank: [sys.executable, __file__, share, str(steps), str(rank), store]
        ranks = [subprocess.Popen(command(rank), stdout=subprocess.PIPE, env=environment) for rank in range(RANKS)]
        outputs = [process.communicate()[0] for process in ranks]
        if any(process.returncode for process in ranks):
            sys.exit(1)
    print(json.dumps({"aloneSeconds": alone, "seconds": float(outputs[0].split()[-1]), "torch": torch.__version__}))
