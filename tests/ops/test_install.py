import subprocess
import sys
import textwrap
from importlib.util import find_spec

import mmcv.ops
import pytest
import torch

from ssdet.ops import OperatorNotCompiledError, backends, install
from ssdet.ops.extension import NAME, OFFERED, PortableExtension

COMPILED = not isinstance(sys.modules[NAME], PortableExtension)


def python(code: str) -> list[str]:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("> ")]


@pytest.mark.skipif(COMPILED, reason="mmcv is compiled here")
def test_makes_openmmlab_importable():
    lines = python("""
        try:
            import mmcv.ops
        except ModuleNotFoundError as error:
            print(">", error.name)
        import ssdet
        import mmcv.ops, mmdet, mmdet.models, mmseg.models
        from importlib.util import find_spec
        print(">", find_spec("mmcv._ext").origin)
    """)
    assert lines == ["> mmcv._ext", "> ssdet.ops"]


def test_touches_nothing_where_mmcv_is_compiled(tmp_path):
    (tmp_path / "_ext.py").write_text(
        textwrap.dedent("""
        nms = lambda *given, **how: "compiled"
        def __getattr__(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return nms
        """)
    )
    lines = python(f"""
        import mmcv, sys
        mmcv.__path__.insert(0, {str(tmp_path)!r})
        from ssdet.ops import backends, install
        print(">", install())
        import mmcv.ops
        module = sys.modules["mmcv.ops.nms"]
        print(">", module.ext_module.nms(), module.ext_module.__file__)
        print(">", install(), sys.modules["mmcv._ext"] is module.ext_module)
        print(">", *sorted(set(backends().values())))
    """)
    assert lines == ["> False", f"> compiled {tmp_path / '_ext.py'}", "> False True", "> mmcv"]


@pytest.mark.skipif(COMPILED, reason="mmcv is compiled here")
def test_installing_again_changes_nothing():
    before = sys.modules[NAME]
    assert install() is True
    assert sys.modules[NAME] is before
    assert find_spec(NAME) is before.__spec__


def test_other_operators_refuse_when_called(monkeypatch):
    module = PortableExtension()
    monkeypatch.setattr(sys.modules["mmcv.ops.carafe"], "ext_module", module)
    with pytest.raises(OperatorNotCompiledError) as error:
        mmcv.ops.carafe(torch.rand(1, 4, 4, 4), torch.rand(1, 9, 8, 8), 3, 1, 2)
    text = str(error.value)
    assert "operator 'carafe' (mmcv._ext.carafe_forward)" in text
    assert "make ops" in text
    assert "roi_align" in text
    assert isinstance(error.value, NotImplementedError)
    assert module.carafe_forward is module.carafe_forward


def test_the_stand_in_has_no_dunder_attributes_of_its_own():
    module = PortableExtension()
    assert not hasattr(module, "__path__")
    assert not hasattr(module, "_private")
    assert hasattr(module, "an_operator_of_a_later_mmcv")
    assert module.get_compiling_cuda_version() == "not compiled (ssdet.ops)"


@pytest.mark.skipif(COMPILED, reason="mmcv is compiled here")
def test_backends_without_compiled_mmcv():
    rows = backends()
    assert set(OFFERED) <= set(rows)
    assert all(rows[name] in {"pytorch", "torchvision"} for name in OFFERED)
    assert rows["carafe"] == "absent"
    assert rows["prroi_pool"] == "absent"
    assert "get_compiler_version" not in rows
    assert list(rows) == sorted(rows)
