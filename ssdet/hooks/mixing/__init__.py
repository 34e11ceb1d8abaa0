"""Hooks that change images together with their targets: copy-paste, CutMix, mosaics, erasing.

Not here: the geometry of pasting and cutting (pure functions in `ssdet.mixing`), and the weak and
strong views of a single image (`ssdet.datasets.views`).
"""

from .adaptive_cutmix import AdaptiveCutMixHook as AdaptiveCutMixHook
from .classmix import ClassMixHook as ClassMixHook
from .copy_paste import CopyPasteHook as CopyPasteHook
from .cutmix import CutMixHook as CutMixHook
from .ease_cutmix import EaseCutMixHook as EaseCutMixHook
from .erase import EraseHook as EraseHook
from .feature_paste import FeaturePasteHook as FeaturePasteHook
from .occlude import OccludeHook as OccludeHook
from .patch_shuffle import PatchShuffleHook as PatchShuffleHook
from .pseudo_mixup import PseudoMixupHook as PseudoMixupHook
from .pseudo_mosaic import PseudoMosaicHook as PseudoMosaicHook
from .style_swap import StyleSwapHook as StyleSwapHook
