"""`tlkeras demo`: the main job in one command, on a machine with no network."""

from pathlib import Path

from tlkeras.cli import out
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
    out.line(f"  TinyResNet, built-in weights   {_percent(ours.accuracy, ours.interval)}")
    out.line(f"  TinyResNet, untrained          {_percent(baseline.accuracy, baseline.interval)}")
    out.line()
    out.line("Image bytes sent to the SavedModel in a fresh process with TensorFlow alone:")
    for answer in demo.served:
        out.line(f"  {answer.path}  is {answer.truth}: {answer.label}  ({answer.score:.3f})")
    out.line()
    out.line(f"pictures     {demo.pictures}")
    out.line(f"run folder   {demo.run}   (model.keras opens in plain Keras)")
    out.line(f"report       {demo.page}")
    out.line(f"SavedModel   {demo.saved_model}")
    out.line()
    out.line("Next, with a folder of your own pictures, one sub-folder a class:")
    out.line("  tlkeras check PICTURES")
    out.line("  tlkeras train PICTURES --backbone TinyResNet --to runs/mine   (no network needed)")
    out.line("  tlkeras train PICTURES --backbone MobileNetV2 --to runs/better")
    out.line("  tlkeras predict runs/mine NEW.jpg")
    out.line("  tlkeras export runs/mine serve/mine/1")


def _percent(value: float, interval: tuple[float, float]) -> str:
    return f"{value:6.1%}  (95 % interval {interval[0]:.1%} to {interval[1]:.1%})"


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
