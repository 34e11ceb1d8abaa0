"""Patch shuffle: the cells of a grid change places; features of the shuffled image change back."""

import torch
from torch import Tensor

Grid = tuple[int, int]


def sample_permutations(
    count: int, grid: Grid = (2, 2), prob: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """A permutation of the cells for each image, (count, rows * columns): cell i goes to pi[i].

    All permutations are equally likely (the identity too); with the probability 1 - prob an image
    keeps its cells where they are.
    """
    cells = grid[0] * grid[1]
    drawn = [torch.randperm(cells, generator=generator) for _ in range(count)]
    chosen = torch.rand(count, generator=generator) < prob
    order = torch.stack(drawn) if drawn else torch.empty(0, cells, dtype=torch.long)
    return order.where(chosen[:, None], torch.arange(cells))


def shuffle_patches(maps: Tensor, permutations: Tensor, grid: Grid = (2, 2)) -> Tensor:
    """Move cell i of each image to the place pi[i]: (B, C, H, W), rows and columns divide H, W."""
    return _gather_cells(maps, permutations.argsort(dim=1), grid)


def unshuffle_patches(maps: Tensor, permutations: Tensor, grid: Grid = (2, 2)) -> Tensor:
    """Undo `shuffle_patches`, on maps of any size that the grid divides."""
    return _gather_cells(maps, permutations, grid)


def _gather_cells(maps: Tensor, order: Tensor, grid: Grid) -> Tensor:
    """Put cell order[j] of each image into the place j."""
    (batch, channels, height, width), (rows, columns) = maps.shape, grid
    if height % rows or width % columns:
        raise ValueError(
            f"a grid of {rows}x{columns} cells does not divide maps of {height}x{width}: pad them"
        )
    cells = maps.reshape(batch, channels, rows, height // rows, columns, width // columns)
    cells = cells.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = order.to(maps.device)[:, :, None, None, None].expand_as(cells)
    moved = cells.gather(1, order).unflatten(1, grid).permute(0, 3, 1, 4, 2, 5)
    return moved.reshape(maps.shape)
