# Draws of each rank, data workers, and issues on demand.
_base_ = ['./distributed_draws.py']
train_dataloader = dict(num_workers=1)
custom_hooks = [*_base_.custom_hooks, dict(type='FaultHook')]
