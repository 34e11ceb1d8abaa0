#!/usr/bin/env bash
# Train with several processes of this machine, on GPUs or on the CPU:
#   tools/dist_train.sh CONFIG PROCESSES [options of `ssdet train`]
# More machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 CONFIG PROCESSES [options]" >&2; exit 2; }
config=$1 processes=$2
shift 2
if [ "${NNODES:-1}" = 1 ]; then
    where=(--standalone)
else
    where=(--nnodes "$NNODES" --node_rank "${NODE_RANK:-0}"
           --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}")
fi
exec "${PYTHON:-python}" -m torch.distributed.run "${where[@]}" --nproc_per_node "$processes" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
