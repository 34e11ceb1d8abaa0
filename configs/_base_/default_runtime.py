# What every run has, whatever it trains. A hook is taken away with `name=None`.
custom_imports = dict(imports=['ssdet'])
default_scope = 'mmdet'
runner_type = 'SafeRunner'

default_hooks = dict(
    # Locks the work folder; writes config.py and run.json.
    run_folder=dict(type='RunFolderHook'),
    # SIGTERM and Ctrl-C: finish the step, save, exit 143 or 130.
    stop=dict(type='GracefulStopHook'),
    # Skips a step whose loss or gradient is not finite; gives up after `patience` in a row.
    finite=dict(type='FiniteGuardHook', patience=3),
    # No memory left: oom='retry' takes such a step in parts, with the same gradient.
    memory=dict(type='OutOfMemoryHook', oom='stop'),
    # Refuses, before training, a pipeline that moves pixels without recording it.
    view_check=dict(type='ViewCheckHook'),
    timer=dict(type='IterTimerHook'),
    # The live line and the log; metrics.jsonl holds the same numbers for programs.
    logger=dict(type='ProgressHook', interval=50),
    metrics=dict(type='MetricsFileHook', interval=50),
    # Counts of pseudo labels, and warnings while the run can still be stopped.
    monitor=dict(type='PseudoLabelMonitorHook', interval=50),
    # report.html, anew at each validation.
    report=dict(type='ReportHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='AtomicCheckpointHook',
        by_epoch=False,
        interval=1000,
        max_keep_ckpts=2,
        save_best='auto'),
    sampler_seed=dict(type='DistSamplerSeedHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # nccl where there is CUDA, gloo elsewhere; the timeout is in seconds.
    dist_cfg=dict(timeout=1800))
model_wrapper_cfg = dict(
    type='PortableDistributedDataParallel', find_unused_parameters=False)

# Both models are evaluated with one reading of each image.
val_cfg = dict(type='TeacherStudentLoop')
test_cfg = dict(type='TeacherStudentTestLoop')

log_processor = dict(
    type='LogProcessor',
    window_size=50,
    by_epoch=False,
    mean_pattern=r'.*(loss|time|data_time|grad_norm|pseudo).*')
visualizer = dict(type='Visualizer', vis_backends=[])
log_level = 'INFO'
randomness = dict(seed=0)
load_from = None
resume = False
