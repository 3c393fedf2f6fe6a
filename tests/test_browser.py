"""TensorBoard, in a browser, shows several runs: curves, HParams, images, text, histograms."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import keras_recipes as kr

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECONDS = 90  # a page may take, on a machine that is busy
RUNS = {  # name -> arguments of the builder and of fit
    "sigmoid": (
        {"activation": "sigmoid", "hidden_units": (30,) * 8, "normalization": None},
        {"max_learning_rate": 0.01},
    ),
    "elu": ({"dropout": 0.1}, {}),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two runs under one root, a network that learns and one that cannot."""
    root = tmp_path_factory.mktemp("runs")
    data = kr.load_dataset("digits")
    for name, (build, training) in RUNS.items():
        model = kr.build_default_dnn(
            data.input_shape, data.n_outputs, data.task, adapt_to=data.adapt_to, seed=0, **build
        )
        kr.fit(
            model, data.x_train, data.y_train, validation_data=(data.x_val, data.y_val),
            epochs=3, run_dir=root / name, seed=0, verbose=0,
            callbacks=[kr.callbacks.LayerHealth(every=20)], **training,
        )  # fmt: skip
    prediction = kr.mc_predict(model, data.x_test, n_samples=2)
    found = kr.uncertainty.calibration(prediction, data.y_test)
    kr.log_figure(root / "elu", "uncertainty/calibration", found.plot().figure)
    return root


@pytest.fixture(scope="module")
def board(root):
    """The address of a TensorBoard on the root."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", str(root), "--host", "127.0.0.1",
         "--port", "0"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        lines = iter(process.stdout.readline, "")
        [address] = next(found for line in lines if (found := re.findall(r"http://\S+:\d+/", line)))
        yield address
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, board, request, tmp_path_factory):
    """A tab of TensorBoard by name; at the end its screenshot is kept."""
    pages = []

    def open_tab(name):
        page = browser.new_page(viewport={"width": 1600, "height": 1300})
        page.set_default_timeout(SECONDS * 1000)
        pages.append(page)
        page.goto(f"{board}?forceSVG=true#{name}")  # curves by WebGL need a GPU
        return page

    yield open_tab
    kept = Path(request.config.getoption("screenshots") or tmp_path_factory.getbasetemp())
    kept.mkdir(parents=True, exist_ok=True)
    for page in pages:
        page.screenshot(path=kept / f"{request.node.name}.png")
        page.close()


def wait_for_curves(card, count):
    """Until a card has curves: paths of more than one point."""
    card.locator("line-chart svg path[d*='L']").nth(count - 1).wait_for(state="attached")


def test_the_scalars_of_all_runs_lie_over_each_other(page):
    tab = page("timeseries")
    for tag in ("epoch/accuracy", "epoch/val_accuracy", "epoch/learning_rate"):
        tab.get_by_text(tag, exact=True).first.wait_for()
    card = tab.locator("scalar-card").first
    for run in RUNS:
        card.get_by_text(f"{run}/logs", exact=True).first.wait_for()
    wait_for_curves(card, 2)


def test_each_step_has_its_cards(page):
    tab = page("timeseries")
    tab.locator("tb-filter-input input[placeholder='Filter tags (regex)']").fill("^step")
    tab.keyboard.press("Escape")  # closes a list of tags that lies over the cards
    for name in ("loss", "accuracy", "learning_rate", "momentum", "gradient_norm"):
        card = tab.locator("scalar-card").filter(has=tab.get_by_text(f"step/{name}", exact=True))
        wait_for_curves(card.first, 2)


def test_the_graph_of_the_model_is_drawn(page):
    tab = page("graphs&run=elu%2Flogs")
    tab.locator("tf-graph-scene svg .node").first.wait_for()
    tab.wait_for_function(  # until it has grown to the page
        """() => {
          const all = (root) => [...root.querySelectorAll('*')].flatMap(
            (e) => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
          const names = all(document).filter((e) => e.tagName === 'text' && e.textContent.startsWith('hidden_1'));
          return names.some((e) => e.getBoundingClientRect().width > 30);
        }"""
    )


def test_training_and_validation_lie_over_each_other(page):
    tab = page("custom_scalars")
    for title in ("training and validation", "loss", "accuracy"):
        tab.get_by_text(title, exact=True).first.wait_for()
    tab.get_by_text("epoch/val_loss (elu/logs)").first.wait_for(state="attached")
    tab.locator("vz-line-chart2 svg path.line[d*='L']").nth(7).wait_for(state="attached")


def test_hparams_have_a_row_for_each_run(page):
    tab = page("hparams")
    table = tab.locator("tf-hparams-table-view")
    for text in ("elu/logs", "sigmoid/logs", "activation", "optimizer", "units", "val_loss"):
        table.get_by_text(text, exact=True).first.wait_for()
    table.get_by_text("30-30-30-30-30-30-30-30", exact=True).first.wait_for()


def test_the_figures_are_images(page):
    tab = page("images")
    for tag in ("learning_rate_finder", "uncertainty"):
        tab.get_by_text(tag, exact=True).first.wait_for()
    tab.wait_for_function(
        """() => {
          const all = (root) => [...root.querySelectorAll('*')].flatMap(
            (e) => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
          const images = all(document).filter((e) => e.tagName === 'IMG' && e.naturalWidth > 300);
          return images.length >= 2;
        }"""
    )


def test_the_diagnosis_is_a_text(page):
    tab = page("text")
    tab.get_by_text("Nothing wrong was found.").first.wait_for()
    tab.get_by_text("vanishing gradients").first.wait_for()


def test_the_weights_have_histograms(page):
    page("histograms").get_by_text("weights/hidden_1/kernel", exact=True).first.wait_for()
