"""README.md beside the versions of a model: how to start a server, ask it, and read its answers.

    serve/flowers/README.md
    serve/flowers/1/            saved_model.pb, variables, assets, assets.extra
    serve/flowers/2/

Servers take folders whose name is a number and pass over the rest.
"""

import json
import logging
import os
import re
from pathlib import Path

from tlkeras.disk import write_bytes
from tlkeras.export.serving.clients import URL, clients
from tlkeras.export.serving.described import LABELS_FILE, PREPROCESS_FILE, Asked, signatures_in
from tlkeras.export.staging import README, is_version, versions

logger = logging.getLogger(__name__)

OURS = "<!-- Written by tlkeras with each export. Without this line it stays as you leave it. -->"
"""First line of a README that the next export replaces."""

LABELS_SHOWN = 200

_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")
_MEANS = {
    "label": "name of the likeliest class; empty where `ok` is false",
    "score": "its probability",
    "probabilities": "of all classes, in the order below",
    "embedding": "what the head of the network sees, for search or clustering",
    "unknown_score": "above 1: unlike the pictures that the model was trained on",
    "unknown": "whether it is: do not rely on the label",
    "ok": "whether the picture could be read",
}
_TEXT = """\
{ours}
# {name}

Takes the bytes of picture files, answers with one of {classes} labels. This describes version
{version}{backbone}. Decoding, turning as EXIF says, resizing and scaling are inside the model.

## Start a server

[TensorFlow Serving](https://github.com/tensorflow/serving) loads the highest version in this
folder, and a higher one soon after it appears. From this folder, for this machine only:

```console
docker run --rm -p 127.0.0.1:8501:8501 -v "$PWD:/models/{name}:ro" \\
  -e MODEL_NAME={name} tensorflow/serving
```

The tests of tlkeras do not run this line. They do run the programs below, against `tlkeras serve`.

## Ask it

`POST {url}`, pictures as base64. With curl:

```bash
{bash}```

With Python alone:

```python
{python}```

With JavaScript, in Node.js 18 or later:

```javascript
{javascript}```

A page in a browser has the same `fetch`; TensorFlow Serving answers pages of other sites only when
it is started with `--rest_api_enable_cors_support=true`.

Several pictures are several rows, answered in their order:
`{{"instances": [{{"image_bytes": {{"b64": "…"}}}}, …]}}`. Another signature is
named beside them: `{{"signature_name": "embed", "instances": […]}}`. Over gRPC, port 8500, all
names are the same and the bytes go as they are.

## What comes back

```text
{reply}
```

| | | |
|---|---|---|
{outputs}

A request that is wrong as a whole is answered with a status of 400 or above and `{{"error": "…"}}`.

## Signatures

| `signature_name` | takes | gives |
|---|---|---|
{signatures}

Pixels are RGB from 0 to 255, of any size.

## Pictures

| | |
|---|---|
| {formats}: also grey, palette, CMYK, 16 bits, progressive; of a GIF the first frame | answered |
| anything else (WebP, TIFF, AVIF, HEIC, damaged, empty), more than {pixels:,} pixels, or \
more than {side:,} in one direction | `ok` is false, `label` empty, numbers are 0; other rows \
are answered |

Transparency is dropped.

## Labels

{labels}
"""


def write_readme(version: Path) -> Path | None:
    """The README.md beside the version's folder; None where none is written.

    None is written where the folder's name is no number, beside things that are no versions, over
    a README that somebody else wrote, and over that of a higher version.

    Example::

        write_readme(Path("serve/flowers/2"))     # serve/flowers/README.md
    """
    if not is_version(version.absolute().name):
        return None
    model = version.absolute().parent
    file = model / README
    try:
        if not _may_write(file, version):
            return None
        text = readme(version)
        write_bytes(file, text.encode("utf-8"))
    except OSError as error:
        logger.warning("%s stands, but its README could not be written: %s", version, error)
        return None
    return version.parent / README


def readme_beside(version: Path) -> Path | None:
    """The README.md of ours beside the version's folder; None where there is none.

    Example::

        readme_beside(Path("serve/flowers/2"))     # serve/flowers/README.md
    """
    file = version.parent / README
    is_one = is_version(version.absolute().name) and file.is_file()
    return file if is_one and _is_ours(file) else None


def readme(version: Path) -> str:
    """The text for the SavedModel in the version's folder.

    Raises:
        ExportError: no SavedModel is there.
        OSError: its labels or its preprocessing can't be read.

    Example::

        print(readme(Path("serve/flowers/2")))
    """
    name = model_name(version)
    labels = (version / "assets" / LABELS_FILE).read_text(encoding="utf-8").splitlines()
    seen = json.loads((version / "assets" / PREPROCESS_FILE).read_text(encoding="utf-8"))
    asked = signatures_in(version)
    backbone = f", on the backbone {seen['backbone']}" if seen.get("backbone") else ""
    return _TEXT.format(
        ours=OURS,
        name=name,
        classes=len(labels),
        version=version.absolute().name,
        backbone=backbone,
        url=URL.replace("{name}", name),
        **clients(name),
        reply=_reply(asked[0], labels),
        outputs="\n".join(_output_rows(asked)),
        signatures="\n".join(_signature_row(one) for one in asked),
        formats=", ".join(seen["formats"]),
        pixels=seen["max_pixels"],
        side=seen["max_side_px"],
        labels=_labels(labels),
    )


def model_name(path: str | Path) -> str:
    """What a SavedModel at the path is served as: its model's folder, fit for an address.

    >>> model_name("serve/my flowers/2"), model_name("serve/flowers")
    ('my-flowers', 'flowers')
    """
    place = Path(os.path.abspath(path))  # unlike resolve it keeps the name of a link
    folder = place.parent if is_version(place.name) else place
    return _OTHER.sub("-", folder.name)[:100] or "model"


def _may_write(file: Path, version: Path) -> bool:
    if file.exists():
        return _is_ours(file) and int(version.absolute().name) == max(versions(file.parent))
    names = [entry.name for entry in file.parent.iterdir()]
    return all(is_version(name) or name.startswith(".") for name in names)


def _is_ours(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(len(OURS)) == OURS.encode("ascii")


def _reply(asked: Asked, labels: list[str]) -> str:
    """What a row of `serving_default` looks like, made up."""
    shown: dict[str, object] = {
        "label": labels[0],
        "score": 0.98,
        "probabilities": "[0.98, …]",
        "unknown_score": 0.41,
        "unknown": False,
        "ok": True,
    }
    row = {tensor.name: shown[tensor.name] for tensor in asked.outputs if tensor.name in shown}
    text = json.dumps({"predictions": [row]}, ensure_ascii=False)
    return text.replace('"[0.98, …]"', "[0.98, …]")


def _output_rows(asked: tuple[Asked, ...]) -> list[str]:
    """A row of Markdown for each output of any signature, once."""
    outputs = {tensor.name: tensor for each in reversed(asked) for tensor in each.outputs}
    shown = [outputs[name] for name in _MEANS if name in outputs]
    return [f"| `{one.name}` | {one.dtype} {one.sides} | {_MEANS[one.name]} |" for one in shown]


def _signature_row(asked: Asked) -> str:
    takes = ", ".join(f"`{tensor}`" for tensor in asked.inputs)
    gives = ", ".join(f"`{tensor.name}`" for tensor in asked.outputs)
    return f"| `{asked.name}` | {takes} | {gives} |"


def _labels(labels: list[str]) -> str:
    """The labels as an indented block, which shows any text as it is."""
    shown = "\n".join(f"    {label}" for label in labels[:LABELS_SHOWN])
    rest = len(labels) - LABELS_SHOWN
    more = f"\n\n{rest} more are in `assets/labels.txt`." if rest > 0 else ""
    return f"One a line, in the order of `probabilities`:\n\n{shown}{more}"
