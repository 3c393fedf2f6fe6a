import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_recipe_is_listed_in_a_line():
    result = subprocess.run(
        [sys.executable, "-m", "recipes"], cwd=ROOT, text=True, capture_output=True, check=True
    )
    lines, _, last = result.stdout.partition("\n\n")
    listed = dict(line.split(maxsplit=1) for line in lines.splitlines())
    scripts = {
        path.stem for path in (ROOT / "recipes").glob("*.py") if "    run(main)" in path.read_text()
    }
    assert set(listed) == scripts
    assert all(len(purpose) > 20 for purpose in listed.values())
    assert "python -m recipes.NAME" in last
