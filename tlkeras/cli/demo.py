"""`tlkeras demo`: the main job in one command, on a machine with no network."""

from pathlib import Path

from tlkeras.cli import out
from tlkeras.evaluation.report import Report
from tlkeras.evaluation.wording import percent, span
from tlkeras.tasks.demo import Demo, run_demo


def run(folder: Path, json: bool) -> None:
    """Run the demonstration; print how good it is, where everything is, and what is next."""
    demo = run_demo(folder)
    if json:
        out.as_json(_to_dict(demo))
        return
    ours, baseline = demo.transferred, demo.untrained
    out.line(ours)
    out.line()
    out.line(f"{len(ours)} test pictures, the same linear head on")
    out.line(f"  TinyResNet, built-in weights   {_right(ours)}")
    out.line(f"  TinyResNet, untrained          {_right(baseline)}")
    out.line()
    out.line("Image bytes sent to the SavedModel in a fresh process with TensorFlow alone:")
    for answer in demo.served:
        mistake = "" if answer.label == answer.truth else f"  (it is {answer.truth})"
        out.line(f"  {answer.path}  {answer.label}  {answer.score:.3f}{mistake}")
    out.line()
    out.line(f"pictures     {demo.pictures}")
    out.line(f"run folder   {demo.run}   (model.keras opens in plain Keras)")
    out.line(f"report       {demo.page}")
    out.line(f"SavedModel   {demo.saved_model}")
    out.line()
    call = out.called()
    out.line("Next, with a folder of your own pictures, one sub-folder a class:")
    out.line(f"  {call} check PICTURES")
    out.line(f"  {call} train PICTURES --backbone TinyResNet --to runs/mine")
    out.line(f"  {call} predict runs/mine NEW.jpg")
    out.line(f"  {call} export runs/mine serve/mine")
    out.line("TinyResNet needs no network; --backbone MobileNetV2 is larger, and downloaded once.")


def _right(report: Report) -> str:
    return f"{percent(report.accuracy)}  (95 % interval {span(report.interval)})"


def _to_dict(demo: Demo) -> dict[str, object]:
    return {
        "transferred": demo.transferred.to_dict(),
        "untrained": demo.untrained.to_dict(),
        "served": [{**vars(answer), "path": str(answer.path)} for answer in demo.served],
        "pictures": str(demo.pictures),
        "run": str(demo.run),
        "report": str(demo.page),
        "saved_model": str(demo.saved_model),
    }
