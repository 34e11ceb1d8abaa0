"""The report in a browser: no error, every picture there, nothing wider than the window."""

import numpy as np
import pytest

from ssdet.hooks._parts.drawing import save_jpeg
from ssdet.report import collect, render
from tests.browser import needs_browser, page_in_browser

from .fake import run_folder, stats_line, write_lines

# The page itself has no script; this one measures a copy of it.
MEASURE = """<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(one => one.open = true);
  const bad = [...document.images].filter(image => !image.naturalWidth).length;
  const root = document.documentElement, wide = root.scrollWidth - root.clientWidth;
  document.title = `${document.images.length} pictures, ${bad} missing, ${wide} too wide`;
});
</script></body>"""


@pytest.mark.long
@needs_browser
@pytest.mark.parametrize("width", [1280, 420])
def test_a_browser_shows_the_report(tmp_path, width):
    for role in ("baseline", "semi"):
        run_folder(tmp_path / role, role=role, top=0.4, command=f"ssdet train {'x' * 80}.py")
    folder = tmp_path / "semi"
    write_lines(folder / "pseudo/stats.jsonl", [{**stats_line(400), "threshold": [0.4] * 3}])
    panels = [{"file": "a.jpg", "view": "weak"}, {"file": "a.jpg", "view": "strong"}]
    save_jpeg(folder / "pseudo/a.jpg", np.zeros((64, 64, 3), np.uint8))
    line = {"iter": 1, "number": 0, "panels": panels, "unit": "boxes", "kept": 2}
    write_lines(folder / "pseudo/gallery.jsonl", [line])
    page = render(collect([tmp_path]))
    copy = page.replace("default-src 'none'", "default-src 'unsafe-inline'")
    (tmp_path / "page.html").write_text(copy.replace("</body>", MEASURE))
    expected = "<title>2 pictures, 0 missing, 0 too wide</title>"
    assert expected in page_in_browser(tmp_path / "page.html", expected, width=width, height=2000)
