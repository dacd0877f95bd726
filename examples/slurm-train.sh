#!/bin/bash
#SBATCH --job-name=omni-id
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --time=48:00:00
#SBATCH --requeue
# Stage two of the paper preset on 2 × 8 cards. All nodes have to see the folders. What it takes: omni-id plan --gpus 16
set -euo pipefail
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_ADDR MASTER_PORT=29400
srun npx omni-id train flow --preset paper --device cuda --batch 16 --data /shared/prepared --out /shared/runs/flow \
  --encoder /shared/runs/mtd/weights --resume
