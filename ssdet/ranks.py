"""What the processes of a training decide together."""

import torch
from mmengine.dist import all_reduce, get_world_size


def any_rank(flag: bool) -> bool:
    """Return whether `flag` is true on any rank; every rank must call it."""
    if get_world_size() == 1:
        return flag
    tensor = torch.tensor(int(flag))
    all_reduce(tensor, "max")
    return bool(tensor.item())
