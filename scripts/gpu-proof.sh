#!/usr/bin/env bash
# Proves on a GPU that its numbers are the processor's, and how fast and how large the paper's size is there. The
# machine needs Python with a torch for CUDA and a C++ compiler; no npm, no network.
#   node scripts/gpu-proof/pack.mjs gpu-proof      on a machine with the project set up: makes the folder
#   scripts/gpu-proof.sh gpu-proof [OPTION …]      on the GPU machine, in a checkout, the folder beside it
# Options are those of scripts/gpu-proof/main.mjs: --parts operators,parity,stages,"full size" · --steps 10 · --small ·
# --device cuda · -o results/gpu.json
set -euo pipefail
folder=$(realpath "${1:?the folder that pack.mjs made}"); shift
cd "$(dirname "$0")/.."
[ -x "$folder/node" ] || { xz -dk "$folder/node.xz" 2>/dev/null || python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1] + ".xz"), open(sys.argv[1], "wb"))' "$folder/node"; chmod +x "$folder/node"; }
started=$SECONDS
[ -e "$folder/native/build/Release/torch_native.node" ] || python3 scripts/gpu-proof/build.py "$folder/node" "$folder/include" "$folder/native"
echo "the addon: $((SECONDS - started)) s"
card=$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null || echo "no card")
export OMNI_ID_NATIVE="$folder/native" OMNI_ID_CACHE="$folder/cache" CUBLAS_WORKSPACE_CONFIG=:4096:8
# The same model and card by PyTorch alone; without it nothing is compared.
python3 scripts/gpu-proof/peer.py > "$folder/peer.json" && peer=(--peer "$folder/peer.json") || peer=()
exec "$folder/node" "$folder/main.mjs" --card "$card" --commit "$(cat "$folder/commit")" "${peer[@]}" "$@"
