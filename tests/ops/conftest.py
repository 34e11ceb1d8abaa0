import pytest

from ssdet.ops.extension import PortableExtension
from tests.ops.cases import extension


@pytest.fixture(autouse=True)
def portable():
    """mmcv.ops computes with the stand-ins, also where it is compiled."""
    module = PortableExtension()
    with extension(module):
        yield module
