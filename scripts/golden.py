"""Small golden vectors for tests: random weights, inputs and outputs of the models that the paper stands on, by their
upstream key names and in float32, computed by golden_models.py.

usage: golden.py make FAMILY FILE [NAME=VALUE…]   FAMILY: flux, clip, t5; sizes by name, e.g. depth=3 guidance_embed=False
       golden.py check FILE                       largest difference of each output from what golden_models.py computes
Needs Python with torch and numpy (Debian: python3-torch).
"""
import ast
import json
import struct
import sys

import numpy as np
import torch

from golden_models import clip_family, flux_family, t5_family

TYPES = {"F32": np.float32, "I64": np.int64}


def read(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    load = lambda e: np.frombuffer(data[8 + size :][slice(*e["data_offsets"])], TYPES[e["dtype"]]).reshape(e["shape"])
    return {key: torch.from_numpy(load(entry).copy()) for key, entry in header.items()}, metadata


def write(path, tensors, metadata):
    header, at, arrays = {"__metadata__": metadata}, 0, []
    for key, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        array = tensor.detach().contiguous().numpy()
        code = next(code for code, kind in TYPES.items() if kind == array.dtype)
        header[key] = {"dtype": code, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
        arrays.append(array)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            file.write(array.tobytes())


FLUX = dict(in_channels=64, vec_in_dim=12, context_in_dim=20, hidden_size=16, mlp_ratio=4.0, num_heads=2, depth=2,
            depth_single_blocks=1, axes_dim=[4, 2, 2], theta=10000, qkv_bias=True, guidance_embed=True)
FLUX_MORE = dict(controlnet_depth=2, ip_context_dim=28, ch=32, ch_mult=[1, 1], res_blocks=1, z=4, scale=0.3611, shift=0.1159, groups=32,
                 batch=2, rows=3, columns=4, text=5, identity=7, ip_scale=0.7, image=16)
CLIP = dict(image_size=28, patch_size=7, hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=128,
            projection_dim=24, hidden_act="gelu", vocab_size=99, max_position_embeddings=12, text_hidden=32, text_heads=2,
            text_layers=2, eos="highest id")
T5 = dict(vocab_size=120, d_model=32, d_kv=8, d_ff=64, num_layers=3, num_heads=4, feed_forward_proj="gated-gelu",
          relative_attention_num_buckets=32, relative_attention_max_distance=128)
MORE = dict(batch=2, text=12)


def options(defaults, more, given):
    values = {name: ast.literal_eval(value) for name, value in (part.split("=", 1) for part in given)}
    unknown = set(values) - set(defaults) - set(more)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join([*defaults, *more])}")
    pick = lambda names: {**names, **{name: value for name, value in values.items() if name in names}}
    return pick(defaults), pick(more)


def new_flux(given):
    c, m = options(FLUX, FLUX_MORE, given)
    b, n = m["batch"], m["rows"] * m["columns"]
    grid = torch.stack(torch.meshgrid(torch.arange(m["rows"]), torch.arange(m["columns"]), indexing="ij"), -1).flatten(0, 1)
    ids = torch.zeros(b, n, len(c["axes_dim"]))
    ids[..., -2:] = grid
    io = dict(img=torch.randn(b, n, c["in_channels"]), img_ids=ids, txt=torch.randn(b, m["text"], c["context_in_dim"]),
              txt_ids=torch.zeros(b, m["text"], ids.shape[-1]), timesteps=torch.rand(b), y=torch.randn(b, c["vec_in_dim"]),
              guidance=1 + 4 * torch.rand(b))
    tensors = {f"flux.io.{name}": value for name, value in io.items()}
    tensors["ip.io.image_proj"] = torch.randn(b, m["identity"], m["ip_context_dim"])
    tensors["ip.io.scale"] = torch.tensor([m["ip_scale"]])
    tensors["controlnet.io.cond"] = torch.rand(b, 3, 16 * m["rows"], 16 * m["columns"]) * 2 - 1
    tensors["ae.io.image"] = torch.rand(1, 3, m["image"], m["image"]) * 2 - 1
    ae = f"ch={m['ch']} ch_mult={','.join(map(str, m['ch_mult']))} res_blocks={m['res_blocks']} z={m['z']} scale={m['scale']} shift={m['shift']} groups={m['groups']}"
    return tensors, {"config": str(c), "controlnet_depth": str(m["controlnet_depth"]), "ip_context_dim": str(m["ip_context_dim"]), "ae": ae}


def new_clip(given):
    c, m = options(CLIP, MORE, given)
    ids = torch.randint(1, c["vocab_size"] - 1, (m["batch"], min(m["text"], c["max_position_embeddings"])))
    ids[:, -1] = c["vocab_size"] - 1
    side = c["image_size"]
    return {"io.pixel_values": torch.randn(m["batch"], 3, side, side), "io.input_ids": ids}, {"config": str(c)}


def new_t5(given):
    c, m = options(T5, MORE, given)
    return {"io.input_ids": torch.randint(0, c["vocab_size"], (m["batch"], m["text"]))}, {"config": str(c)}


FAMILIES = {"flux": (new_flux, flux_family), "clip": (new_clip, clip_family), "t5": (new_t5, t5_family)}


def main(command, *args):
    torch.manual_seed(0)
    if command == "make":
        family, path, *given = args
        begin, compute = FAMILIES[family]
        tensors, metadata = begin(given)
        tensors.update(compute(tensors, metadata, True))
        write(path, tensors, metadata)
    elif command == "check":
        tensors, metadata = read(args[0])
        family = "flux" if "ae" in metadata else "t5" if "d_model" in metadata["config"] else "clip"
        for name, value in FAMILIES[family][1](tensors, metadata, False).items():
            wanted = tensors[name]
            print(f"{name} {((value - wanted).abs().max() / wanted.abs().max()).item():.1e}")
    else:
        sys.exit(__doc__)


with torch.no_grad():
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
