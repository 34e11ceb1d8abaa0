"""What a command imports: nothing that it does not need, and nothing that nobody uses."""

import json
import subprocess
import sys
import textwrap

import pytest
from PIL import Image

import ssdet
from ssdet.imports import spare, when_imported
from ssdet.openmmlab import UNUSED

HEAVY = {"torch", "mmengine", "mmcv", "mmdet", "mmseg", "scipy", "sklearn", "matplotlib", "cv2"}
# What is behind the stand-ins; scipy and matplotlib are used by some trainings.
SPARED = {"imgaug", "imagecorruptions", "numba", "sklearn", "matplotlib", "scipy"}
SPARED |= {"torch.distributed.fsdp", "torch.distributed.optim"}


def fresh(code, *arguments, cwd=None):
    """The last line that a fresh interpreter prints."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def modules_of(arguments, cwd, ending=0):
    """The modules that a command of ssdet has imported when it ends."""
    code = f"""
        import sys
        from ssdet.cli import main
        try:
            code = main(sys.argv[1:])
        except SystemExit as end:
            code = end.code or 0
        assert code == {ending}, code
        print()
        print(*sys.modules)
    """
    return set(fresh(code, *arguments, cwd=cwd).split())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A small COCO data set, and a run folder."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    boxes = {"category_id": 1, "bbox": [1, 1, 10, 10], "area": 100, "iscrowd": 0}
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    for number in range(1, 5):
        Image.new("RGB", (32, 24), (number, 0, 0)).save(folder / "images" / f"{number}.jpg")
        image = {"id": number, "file_name": f"{number}.jpg", "width": 32, "height": 24}
        content["images"].append(image)
        content["annotations"].append({"id": number, "image_id": number, **boxes})
    (folder / "a.json").write_text(json.dumps(content))
    (folder / "run").mkdir()
    (folder / "run" / "metrics.jsonl").write_text('{"mode": "train", "iter": 1, "loss": 1.0}\n')
    (folder / "run" / "run.json").write_text("{}")
    return folder


COCO = ["coco", "a.json", "--images", "images"]
LIGHT = {
    "help": ["--help"],
    "help of train": ["train", "--help"],
    "init --list": ["init", "--list"],
    "split": ["split", *COCO, "--percent", "50", "--out", "out"],
    "convert": ["convert", *COCO, "--to", "coco", "--out", "b.json"],
    "doctor": ["doctor", "a.json", "--unlabeled", "images"],
    "report": ["report", "run"],
}


@pytest.mark.parametrize("name", LIGHT)
def test_a_command_imports_only_what_it_needs(name, data):
    assert not HEAVY & modules_of(LIGHT[name], data)


def test_env_needs_torch_and_the_operators_only(data):
    found = modules_of(["env"], data)
    assert "torch" in found and not found & {"mmdet", "mmseg", *SPARED}


def test_train_says_at_once_that_it_works(data):
    code = """
        import sys
        class Missing:
            def find_spec(self, name, *_):
                if name == "torch":
                    sys.exit("> torch is asked for")
        sys.meta_path.insert(0, Missing())
        from ssdet.cli import main
        main(["train", "ssdet::soft_teacher/faster-rcnn_demo.py"])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=data
    )
    assert done.stdout.startswith("ssdet train ssdet::soft_teacher/faster-rcnn_demo.py: loading")
    assert "> torch is asked for" in done.stderr


def test_import_is_light_and_registers_when_a_registry_is_asked():
    code = """
        import sys
        import ssdet
        assert "torch" not in sys.modules
        from mmdet.registry import HOOKS, MODELS
        assert "ssdet.hooks" not in sys.modules
        assert HOOKS.get("FixedThresholdHook").__module__.startswith("ssdet.")
        print(MODELS.get("TeacherStudentDetector").__name__)
    """
    assert fresh(code) == "TeacherStudentDetector"


def test_import_works_after_the_packages_it_adds_to():
    code = """
        import mmengine.registry
        from mmengine.config import Config
        import ssdet
        config = Config.fromfile(ssdet.__path__[0] + "/.mim/configs/soft_teacher/gfl_demo.py")
        print(mmengine.registry.HOOKS.get("FixedThresholdHook").__name__)
    """
    assert fresh(code) == "FixedThresholdHook"


def test_import_says_nothing():
    code = "import ssdet; ssdet.register(); import mmdet.evaluation, mmseg.apis, mmdet.apis"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "faster_coco_eval" not in done.stderr


@pytest.mark.parametrize("first", ["import ssdet", "import mmengine, ssdet"])
def test_importing_mmdetection_itself_prints_nothing(first):
    """As in the lines that `ssdet export` prints, and in `ssdet label`."""
    code = f"{first}; import mmdet.apis, mmseg.apis; from mmengine.logging import print_log"
    code += "; print_log('here', 'silent'); print_log('there')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "there\n", done.stderr


def test_nothing_is_imported_that_is_not_used():
    code = """
        import sys
        import ssdet
        ssdet.register()
        import mmdet.apis, mmdet.evaluation, mmdet.utils, mmengine.runner, mmseg.apis, mmseg.utils
        mmdet.utils.register_all_modules(False)
        mmseg.utils.register_all_modules(False)
        print(*sys.modules)
    """
    found = set(fresh(code).split())
    assert found.issuperset(UNUSED)  # each was imported, so each stand-in did its part
    assert not found & SPARED


def test_what_is_spared_works_when_it_is_used():
    code = """
        import numpy as np, torch
        import ssdet
        ssdet.register()
        from mmdet.datasets.transforms.generate_line import LineString, iaa
        from mmdet.datasets.transforms.transforms import corrupt
        from mmdet.models.dense_heads.paa_head import skm
        from mmdet.models.task_modules.assigners.hungarian_assigner import linear_sum_assignment
        from mmdet.visualization.local_visualizer import mcolors, plt
        from mmdet.models.language_models.bert import AutoTokenizer, BertConfig
        from mmengine._strategy.fsdp import FSDP_CONFIGS
        from mmengine.registry import OPTIMIZERS

        assert linear_sum_assignment(np.eye(2))[1].tolist() == [1, 0]
        assert len(LineString([(0, 1), (2, 3)]).coords) == 2 and iaa.Sometimes(0.5)
        assert corrupt(np.zeros((64, 64, 3), np.uint8), 1, "gaussian_noise").shape == (64, 64, 3)
        assert skm.GaussianMixture(2).n_components == 2
        assert mcolors.to_rgb("red") == (1, 0, 0) and plt.get_cmap("tab10")
        assert BertConfig(vocab_size=9).vocab_size == 9 and AutoTokenizer.from_pretrained
        config = FSDP_CONFIGS.build(dict(type="FullStateDictConfig", offload_to_cpu=True))
        assert config.offload_to_cpu

        cls = OPTIMIZERS.get("ZeroRedundancyOptimizer")
        layer = torch.nn.Linear(2, 2)
        assert not isinstance(layer, cls)
        torch.distributed.init_process_group(
            "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
        )
        optimizer = cls(layer.parameters(), optimizer_type="SGD", lr=1.0)
        before = layer.bias.detach().clone()
        layer(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        assert torch.allclose(before - 1, layer.bias) and isinstance(optimizer, cls)
        torch.distributed.destroy_process_group()  # its threads must not outlive the interpreter
        print(*[base.__name__ for base in cls.__mro__[:3]])
    """
    assert fresh(code) == "ZeroRedundancyOptimizer ZeroRedundancyOptimizer Optimizer"


def test_what_is_not_installed_is_missed_as_ever(tmp_path):
    (tmp_path / "wants.py").write_text("try: import gone.part\nexcept ImportError: gone = 'none'\n")
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from ssdet.imports import spare
        spare("wants", ["gone.part"])
        import wants
        print(wants.gone)
    """
    assert fresh(code, tmp_path) == "none"


def test_a_module_that_is_there_is_given_at_once():
    given = []
    when_imported("ssdet", given.append)
    spare("ssdet", ["torch"])
    assert given == [ssdet]
