"""Builds the native addon by the compiler alone, from packages/torch/binding.gyp, on the LibTorch that
find-libtorch.mjs finds: for a machine that has neither npm nor Node's headers.

    python3 build.py NODE HEADERS OUT
"""
import ast
import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

node, headers, out = sys.argv[1:]
package = Path(__file__).resolve().parents[2] / "packages/torch"
os.chdir(package)
release = Path(out) / "build/Release"
(release / "obj").mkdir(parents=True, exist_ok=True)


def expand(value):
    """gyp's <!@(command): the words that it prints."""
    found = re.fullmatch(r"<!@\((.*)\)", value)
    return subprocess.check_output(re.sub(r"^node ", f"{node} ", found[1]), shell=True, text=True).split() if found else [value]


def words(target, key):
    return [word for value in target.get(key, []) for word in expand(value)]


def compile(source, target, objects):
    path = release / "obj" / (source.replace("/", "_") + ".o")
    objects.append(path)
    flags = [f"-D{d}" for d in words(target, "defines")] + [f"-I{i}" for i in [headers, *words(target, "include_dirs")]]
    subprocess.run(["g++", "-fPIC", "-c", source, "-o", path, *flags, *words(target, "cflags_cc")], check=True)


targets = {t["target_name"]: t for t in ast.literal_eval(Path("binding.gyp").read_text())["targets"]}
jobs, objects = [], {name: [] for name in targets}
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for name, target in targets.items():
        jobs += [pool.submit(compile, source, target, objects[name]) for source in target["sources"]]
    for job in jobs:
        job.result()
for name, target in targets.items():
    if target.get("type") == "static_library":
        continue
    linked = objects[name] + [o for d in target.get("dependencies", []) for o in objects[d]]
    subprocess.run(["g++", "-shared", "-o", release / f"{name}.node", *linked, *words(target, "ldflags"), *words(target, "libraries")], check=True)
print("built", *sorted(p.name for p in release.glob("*.node")))
