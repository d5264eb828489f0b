"""A plain PyTorch loop with timm's MobileNetV2, frozen, tuned as far as a plain loop goes.

    python torch_timm.py DATA --state FILE.npz [--epochs 10] [--workers 2]

Channels last, the trunk without gradients and in inference mode; pictures decoded by workers;
threads that wait do not spin (set OMP_WAIT_POLICY=PASSIVE and GOMP_SPINCOUNT=0 outside). Every
epoch passes every picture through the trunk, as such loops do.
Prints one JSON object.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
import torchvision_on_cpu  # noqa: F401 - before timm

# isort: split
import timm
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=Path)
parser.add_argument("--state", type=Path, help="weights that timm_weights.py wrote")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--threads", type=int, default=0, help="of torch; 0: as it chooses")


class Pictures(Dataset):
    """uint8 (3, size, size) and the class of each file."""

    def __init__(self, files: list[tuple[Path, int]], size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[index]
        with Image.open(path) as picture:
            resized = picture.convert("RGB").resize(
                (self.size, self.size), Image.Resampling.BILINEAR
            )
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1), label


def split(folder: Path, seed: int) -> tuple[list, list, int]:
    """(training files, validation files, number of classes): a fifth validates."""
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    files = [(p, n) for n, name in enumerate(classes) for p in sorted((folder / name).iterdir())]
    random.Random(seed).shuffle(files)
    fifth = len(files) // 5
    return files[fifth:], files[:fifth], len(classes)


def trunk_of(state: Path | None) -> nn.Module:
    """MobileNetV2 without its classifier, frozen, channels last."""
    trunk = timm.create_model(
        "mobilenetv2_100", pretrained=False, num_classes=0, pad_type="same", bn_eps=1e-3
    )
    if state is not None:
        with np.load(state) as arrays:
            values = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        left = trunk.load_state_dict(values, strict=False)
        wrong = [name for name in left.missing_keys if "num_batches" not in name]
        if wrong or left.unexpected_keys:
            raise SystemExit(f"the weights do not fit: {wrong} {left.unexpected_keys}")
    return trunk.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def main() -> None:
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    train, validation, classes = split(options.data, options.seed)
    loaders = [
        DataLoader(
            Pictures(files, options.size),
            batch_size=options.batch,
            shuffle=shuffled,
            num_workers=options.workers,
            persistent_workers=options.workers > 0,
        )
        for files, shuffled in ((train, True), (validation, False))
    ]
    trunk = trunk_of(options.state)
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)

    def embedded(pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            scaled = pixels.contiguous(memory_format=torch.channels_last).float() / 127.5 - 1
            vectors = trunk(scaled)
        return vectors.clone()  # inference tensors can't enter a gradient

    started = time.perf_counter()
    for _ in range(options.epochs):
        head.train()
        for pixels, labels in loaders[0]:
            loss = nn.functional.cross_entropy(head(embedded(pixels)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        head.eval()
        with torch.no_grad():
            right = sum(
                int((head(embedded(pixels)).argmax(1) == labels).sum())
                for pixels, labels in loaders[1]
            )
    found = {
        "classes": classes,
        "fit_s": time.perf_counter() - started,
        "validation_accuracy": right / max(1, len(validation)),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
