#!/usr/bin/env bash
# Test with several processes of this machine, on GPUs or on the CPU:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of `ssdet test`]
# More machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: $0 CONFIG CHECKPOINT PROCESSES [options]" >&2; exit 2; }
config=$1 checkpoint=$2 processes=$3
shift 3
if [ "${NNODES:-1}" = 1 ]; then
    where=(--standalone)
else
    where=(--nnodes "$NNODES" --node_rank "${NODE_RANK:-0}"
           --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}")
fi
exec "${PYTHON:-python}" -m torch.distributed.run "${where[@]}" --nproc_per_node "$processes" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
