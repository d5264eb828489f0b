"""Makes docs/images/first_classifier.png, the picture of the README, from `tlkeras demo`.

    python scripts/readme_picture.py

The demonstration runs in build/readme_picture (about a minute); its digits, its two reports and
the answers of its SavedModel are what is drawn. The digits: E. Alpaydin and C. Kaynak, "Optical
Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (CC BY 4.0).
"""

import argparse
import io
import math
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from PIL import Image, ImageDraw

import tlkeras as tl
from tlkeras.figures import INK, LINE, RIGHT, SOFT, Plot
from tlkeras.tasks.demo import Demo, run_demo

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ("2", "5", "7", "9")  # classes of which pictures are shown
COLOURS = 128  # keeps the file small

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--demo", type=Path, default=ROOT / "build" / "readme_picture")
parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images" / "first_classifier.png")


def main() -> None:
    wanted = parser.parse_args()
    demo = run_demo(wanted.demo)
    plot = Plot(figsize=(10.6, 3.5), layout="constrained")
    folder, figures, served = plot.subfigures(1, 3, width_ratios=[2.9, 3.5, 4.4], wspace=0.05)
    draw_folder(folder, demo)
    draw_figures(figures, demo)
    draw_answers(served, demo)
    wanted.to.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    plot.savefig(drawn, dpi=120, format="png")
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(wanted.to, optimize=True)


def draw_folder(part: SubFigure, demo: Demo) -> None:
    """Pictures of a few classes, each row with the name of its folder."""
    title(part, "1  a folder of pictures")
    rows = part.subplots(len(SHOWN), 5, width_ratios=[1.4, 1, 1, 1, 1])
    for row, name in zip(rows, SHOWN, strict=True):
        row[0].text(0, 0.5, f"digits/{name}/", color=INK, fontsize=10, va="center")
        row[0].axis("off")
        for axes, path in zip(row[1:], sorted((demo.pictures / name).iterdir()), strict=False):
            show(axes, Image.open(path))


def draw_figures(part: SubFigure, demo: Demo) -> None:
    """Accuracy on the test part with its interval, with and without pretrained weights."""
    title(part, "2  a new head on a frozen network")
    axes = part.subplots()
    told = {"untrained": demo.untrained, "pretrained": demo.transferred}
    for place, report in enumerate(told.values()):
        (low, high), right = report.interval, report.accuracy
        colour = RIGHT if report is demo.transferred else SOFT
        axes.barh(place, right, color=colour, height=0.5)
        axes.plot([low, high], [place, place], color=INK, linewidth=2)
        axes.text(0.02, place, f"{right:.1%}", color="white", fontsize=14, va="center")
        axes.text(0, place + 0.32, f"95 % interval {low:.1%} to {high:.1%}", color=INK, fontsize=9)
    axes.set_yticks(range(len(told)), list(told), color=INK, fontsize=10)
    axes.set(xlim=(0, 1), ylim=(-0.6, 1.7))
    axes.set_xlabel(f"right of {len(demo.transferred)} test pictures", color=INK)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.tick_params(colors=INK, length=0)
    axes.spines[:].set_visible(False)
    axes.axvline(0, color=LINE)


def draw_answers(part: SubFigure, demo: Demo) -> None:
    """What the SavedModel says to the bytes of four files, and what in two of them spoke."""
    title(part, "3  the export: bytes of files in, answers out")
    classifier = tl.ImageClassifier.load(demo.run)
    first, second = (served.path for served in demo.served[1:3])
    files = [first.read_bytes(), second.read_bytes(), no_digit(), b"no picture at all"]
    names = [f"{first.parent.name}/{first.name}", f"{second.parent.name}/{second.name}"]
    serve = tf.saved_model.load(str(demo.saved_model)).signatures["serving_default"]
    answers = {key: rows.numpy() for key, rows in serve(image_bytes=tf.constant(files)).items()}
    rows = part.subplots(len(files), 3, width_ratios=[1, 1, 3.4])
    for number, (picture, heat, words) in enumerate(rows):
        for axes in (picture, heat, words):
            axes.axis("off")
        if not answers["ok"][number]:
            name, told = "notes.txt", "ok: false\nonly its own row is marked"
        elif answers["unknown"][number]:
            name = "flower.png"
            told = "unknown: true\nunlike the training pictures"
            show(picture, Image.open(io.BytesIO(files[number])))
        else:
            name = names[number]
            label, score = answers["label"][number].decode(), answers["score"][number]
            told = f"label: {label}   score: {score:.3f}"
            show(picture, Image.open(io.BytesIO(files[number])))
            show(heat, Image.open(io.BytesIO(classifier.explain(files[number]).overlay())))
        words.text(0, 0.72, name, color=SOFT, fontsize=9, va="center")
        words.text(0, 0.28, told, color=INK, fontsize=10, va="center")


def title(part: SubFigure, text: str) -> None:
    part.suptitle(text, x=0.02, ha="left", color=INK, fontsize=12, fontweight="bold")


def show(axes: Axes, picture: Image.Image) -> None:
    axes.imshow(np.asarray(picture.convert("RGB")))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(LINE)


def no_digit() -> bytes:
    """The bytes of a PNG file of a red flower."""
    page = Image.new("RGB", (96, 96), (196, 222, 190))
    pen = ImageDraw.Draw(page)
    for petal in range(8):
        turn = petal * math.pi / 4
        x, y = 48 + 24 * math.cos(turn), 48 + 24 * math.sin(turn)
        pen.ellipse((x - 13, y - 13, x + 13, y + 13), fill=(200, 40, 70))
    pen.ellipse((36, 36, 60, 60), fill=(240, 200, 60))
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
