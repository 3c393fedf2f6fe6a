"""The pages: each recipe with a report has one, with its figures, and the index leads to it."""

import re
from pathlib import Path

import pytest

from recipes.__main__ import recipes

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REPORTING = [
    path.stem
    for path in (ROOT / "recipes").glob("*.py")
    if re.search(r"(Report|Comparison)\(\"", path.read_text())
]
LINKS = [
    (path, link)
    for path in sorted(DOCS.glob("*.md"))
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text())
]


@pytest.mark.parametrize("name", sorted(REPORTING))
def test_a_recipe_has_a_page_that_it_wrote(name):
    text = (DOCS / f"{name}.md").read_text()
    measured = text.partition("<!-- measured -->")[2].partition("<!-- end -->")[0]
    assert "| --- |" in measured, f"Run python -m recipes.{name} --page docs/{name}.md."
    assert f"`python -m recipes.{name}" in measured
    assert "--quick" not in measured
    command = measured.partition("`python -m ")[2].partition("`")[0]
    assert "## What to conclude" in text
    again = text.partition("## Again")[2]
    assert (
        f"python -m {command} --page docs/{name}.md" in again
    )  # with the flags of the measurement


@pytest.mark.parametrize("name", recipes())
def test_the_index_leads_to_a_page_of_each_recipe(name):
    assert f"python -m recipes.{name} " in (DOCS / f"{name}.md").read_text()
    assert f"]({name}.md)" in (DOCS / "index.md").read_text()


@pytest.mark.parametrize("name", sorted(REPORTING))
def test_the_captions_of_a_page_are_those_of_its_command(name):
    text = (DOCS / f"{name}.md").read_text()
    command = text.partition("`python -m ")[2].partition("`")[0]
    for flag, told in (("epochs", r"(\d+) epochs"), ("batch-size", r"at batch (\d+)")):
        captions = re.findall(rf"^\*\*.*?{told}.*\*\*$", text, re.MULTILINE)
        if captions and (given := re.search(rf"--{flag} (\d+)", command)):
            assert set(captions) == {given[1]}, f"The tables are not of: {command}"


@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda part: getattr(part, "name", part))
def test_links_lead_to_what_is_there(page, link):
    assert (page.parent / link).exists()


def test_figures_are_small():
    for path in (DOCS / "figures").glob("*.png"):
        assert path.stat().st_size < 60_000, path.name
        assert any(link.endswith(path.name) for _, link in LINKS), f"No page shows {path.name}."
