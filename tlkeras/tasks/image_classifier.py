"""ImageClassifier: the front door, from labelled pictures to a served model.

fit ─▶ evaluate ─▶ (fine_tune ─▶ evaluate) ─▶ predict ─▶ save ─▶ export
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from tlkeras.backbones.spec import Given, to_preprocessing
from tlkeras.data.decode import Source
from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Part
from tlkeras.errors import DataError, NotFittedError
from tlkeras.progress import Progress, of, showing
from tlkeras.tasks import answers, run_folder
from tlkeras.tasks.cost import measured
from tlkeras.tasks.fitted import Fitted, columns_of, fit_head, recorded_part, tune_backbone
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.tasks.network.forms import InFolder, OnBackbone
from tlkeras.tasks.own_network import look_at
from tlkeras.tasks.predictions import Predictions
from tlkeras.tasks.trusting.exports import record
from tlkeras.training.finetune import Tuned
from tlkeras.training.probe import HeadKind, Probe, check_head
from tlkeras.training.recipe import Recipe
from tlkeras.training.tuning.lock import alone_in

if TYPE_CHECKING:
    import keras

    from tlkeras.evaluation.explain.explanation import Explanation
    from tlkeras.evaluation.report import Report
    from tlkeras.export.formats.table import Name


class ImageClassifier:
    """A classifier of pictures: a pretrained backbone with a head for the user's classes.

    Args:
        backbone: a catalogue name ("MobileNetV2", "MobileNetV2-0.35"; `tlkeras backbones`
            lists them), a keras.Model, or the path of a network: .keras, .h5, .onnx, .pt2,
            TorchScript, SavedModel, .pb, .tflite, model.json of TensorFlow.js. Its old
            classifier is cut off.
        weights: "default" (the backbone's own), "imagenet", "builtin", a weights file, or None
            for an untrained backbone.
        head: "linear" (softmax regression solved to its optimum), "mlp" (a hidden layer with
            dropout), or a list of Keras layers.
        recipe: every other knob.
        preprocessing: what the backbone was trained on: "none" (pixels in [0, 255]), "unit"
            ([0, 1]), "tf" ([-1, 1]), "torch" or "caffe" (ImageNet's mean, and deviation), or
            (mean, deviation) in pixel units. None: the catalogue's, or what the file says. A
            network of your own is checked with the first training pictures; see `decisions`.

    Raises:
        BackboneError: the name or the preprocessing is unknown; the message lists close ones.

    Example::

        data = tl.ImageFolder("flowers/")
        clf = tl.ImageClassifier("MobileNetV2").fit(data)
        print(clf.evaluate(data.test))
        clf.export("serve/flowers/1")
    """

    def __init__(
        self,
        backbone: "str | Path | keras.Model" = "MobileNetV2",
        *,
        weights: str | Path | None = "default",
        head: HeadKind = "linear",
        recipe: Recipe | None = None,
        preprocessing: Given | None = None,
    ) -> None:
        check_head(head)
        chosen = None if preprocessing is None else to_preprocessing(preprocessing)
        self.source = BackboneSource(backbone, weights, chosen)
        self.head = head
        self.recipe = recipe or Recipe()
        self._fitted: Fitted | None = None

    def fit(self, data: ImageFolder | str | Path, *, progress: Progress | None = None) -> Self:
        """The classifier with a new head, trained on the frozen pretrained backbone.

        Each picture passes the backbone once; its embedding is kept on disk by content, so that
        a second fit on the same pictures does not touch the backbone at all.

        Args:
            data: labelled pictures with a training and a validation part, or their folder.
            progress: told how far the work is; None shows it in the terminal or the log.

        Raises:
            DataError: a part is empty.
            WeightsError: the pretrained weights can't be had; the message lists ways on.
        """
        with showing(progress) as show:
            self._fitted, _ = self._fit_head(_folder(data), show)
        return self

    def fine_tune(
        self,
        data: ImageFolder | str | Path,
        unfreeze: str | int | float | None = None,
        *,
        checkpoint: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Tuned:
        """What became of training the top of the backbone too; the better model is kept.

        Starts from the pretrained weights with a freshly fitted head. A result that does not
        beat the frozen backbone, or an earlier fine-tuning, on the validation part is dropped.

        Args:
            data: labelled pictures with a training and a validation part, or their folder.
            unfreeze: name of the deepest layer to train, a count of layers with weights from
                the top, or a fraction of them; it becomes the recipe's. None: as that says.
            checkpoint: a folder to keep each epoch in, and the frozen classifier. A call with the
                same pictures and recipe goes on after the last epoch there; one that is through
                gives its result again. Remove the folder when the classifier is saved.
            progress: told how far the work is; None shows it in the terminal or the log.

        Raises:
            RecipeError: `unfreeze` is none of these.
            BackboneError: it names no layer or selects none.
            DivergedError: the loss became NaN or infinite in the first epoch; the classifier is
                as it was. Later, it ends the training with the best epoch.
            TrainingError: the checkpoint is of other work, or another process works there.
        """
        folder = _folder(data)
        recipe = self.recipe if unfreeze is None else self.recipe.replace(unfreeze=unfreeze)
        before = self._fitted
        place = None if checkpoint is None else Path(checkpoint)
        with showing(progress) as show, alone_in(place):
            fitted, found = self._fit_head(folder, show)
            if before is None:
                self._fitted = fitted  # so that Ctrl-C leaves the frozen model
            if place is not None:
                run_folder.save_frozen(fitted, self.source, self.head, self.recipe, place)
            tuned = tune_backbone(fitted, found, folder, recipe, show, place)
        if before is not None and not _replaces(tuned, before):
            before.decisions += filter(None, (tuned.stopped, str(tuned)))
            self._fitted = before
        else:
            self._fitted, self.recipe = fitted, recipe
        return tuned

    def evaluate(
        self,
        data: Part | ImageFolder | str | Path | None = None,
        *,
        progress: Progress | None = None,
    ) -> "Report":
        """Numbers, intervals, tables and the worst mistakes on labelled pictures.

        Args:
            data: a part such as `data.test`; an ImageFolder, of which the test part is taken; a
                folder with class folders, all of whose pictures are taken; None for the test
                part that was kept aside in training.
            progress: told how far the work is; None shows it in the terminal or the log.

        Raises:
            NotFittedError: there is no trained model yet.
            DataError: the part is empty, or has a class that the model does not know.
        """
        from tlkeras.evaluation.report import Report
        from tlkeras.tasks.trusting.story import Telling

        fitted = self._trained()
        part = recorded_part(fitted, "test") if data is None else labelled_part(data)
        if not len(part):
            raise DataError(
                f"Evaluation needs labelled pictures. Received: an empty {part.name} part. "
                "Give it a share: ImageFolder(folder, split=(0.70, 0.15, 0.15))."
            )
        columns = columns_of(part.class_names, fitted.class_names)
        with showing(progress) as show:
            scores = fitted.network.score(part.pictures, of(part.name, show))
        report = Report(
            fitted.class_names,
            columns[part.labels],
            scores,
            tuple(str(path) for path in part.paths),
            thumbnails=answers.thumbnails(part.pictures),
            story=Telling(fitted, self.source, self.head, self.recipe, part),
        )
        fitted.metrics[part.name] = report.to_dict()
        return report

    def predict(
        self, pictures: Source | Iterable[Source], *, progress: Progress | None = None
    ) -> Predictions:
        """Labels and probabilities of pictures, each with the path it belongs to.

        Args:
            pictures: a file, a folder, a pattern, bytes, an array, or a list of them.
            progress: told how far the work is; None shows it in the terminal or the log.

        Raises:
            NotFittedError: there is no trained model yet.
            DataError: a file does not exist. One that exists and can't be read only marks
                its own row.
        """
        fitted = self._trained()
        with showing(progress) as show:
            return answers.predict(fitted, pictures, show)

    def explain(
        self,
        picture: Source,
        *,
        label: str | None = None,
        method: Literal["gradcam", "occlusion"] = "gradcam",
    ) -> "Explanation":
        """Which parts of a picture spoke for a class; `.plot()` draws it.

        Args:
            picture: a file, bytes or an array.
            label: the class to explain; None for the one that is answered.
            method: "gradcam" (one pass with gradients) or "occlusion" (the picture with a grey
                patch at many places, slower; an independent check of the other).

        Raises:
            NotFittedError: there is no trained model yet.
            DataError: the picture can't be read, or no class has that name.
            BackboneError: Grad-CAM finds no map in the network; "occlusion" needs none.

        Example::

            clf.explain("rose.jpg").plot()
        """
        from tlkeras.evaluation.explain import explain

        fitted = self._trained()
        return explain(
            fitted.network.model,
            picture,
            fitted.spec.size_px,
            fitted.class_names,
            label=label,
            method=method,
        )

    def save(self, folder: str | Path) -> Path:
        """The run folder: model, labels, recipe, metrics, history, manifest, card.

        `model.keras` in it opens with `keras.models.load_model` without tlkeras.

        Raises:
            NotFittedError: there is no trained model yet.
            BundleError: the folder holds something else; nothing of it is touched.
        """
        return run_folder.save(self._trained(), self.source, self.head, self.recipe, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The classifier that `save` wrote.

        Raises:
            BundleError: not a run folder, or a file in it is damaged.
        """
        return cls._loaded(Path(folder))

    @classmethod
    def _loaded(cls, folder: Path, hashed: bool = False) -> Self:
        fitted, source, head, recipe = run_folder.load(folder, hashed)
        classifier = cls(head=head, recipe=recipe)
        classifier.source, classifier._fitted = source, fitted
        return classifier

    def export(
        self,
        path: str | Path,
        format: "Name" = "saved_model",
        *,
        opset: int | None = None,
        max_drop: float = 0.02,
    ) -> Path:
        """An artefact that works without this library, proven to answer the same.

        A SavedModel takes image bytes and answers with labels; the other formats take pixels, see
        `tlkeras.export.formats.table.FORMATS`. What is written answers real pictures in a fresh
        process that has only its runtime; labels have to be equal, with probabilities within the
        format's tolerance.

        Args:
            path: for "saved_model" a folder: "serve/flowers" takes the next version below it,
                "serve/flowers/3" is that one; what was written is returned. A folder for "c",
                a file for the others.
            format: "saved_model", "onnx", "litert", "litert-float16", "litert-dynamic",
                "litert-int8" or "c".
            opset: of an ONNX file, 13 to 21; None: 17, or 18 for a network that needs it.
            max_drop: accuracy on the validation part that a quantised file may lose.

        Raises:
            NotFittedError: there is no trained model yet.
            ParityError: the artefact answers differently; nothing is left at `path`.
            ExportError: it can't be written there, or not in this format.
        """
        from tlkeras.export.formats.table import find_format, write
        from tlkeras.tasks.proof import shown_of

        find_format(format)
        fitted = self._trained()
        bundle = run_folder.to_bundle(fitted, self.source, self.head, self.recipe)
        shown = shown_of(bundle, fitted)
        written = write(bundle, format, path, shown, opset=opset, max_drop=max_drop)
        if format == "saved_model":
            from tlkeras.export.savedmodel import served_parity

            fitted.served = served_parity(written)
        if isinstance(fitted.network, InFolder):
            record(fitted.network.stored.folder, written, format)
        return written

    @property
    def model(self) -> "keras.Model":
        """Pixels (n, h, w, 3) float32 RGB in [0, 255], any size → probabilities (n, classes)."""
        return self._trained().network.model

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each column of the probabilities."""
        return self._trained().class_names

    @property
    def history(self) -> list[dict[str, object]]:
        """One row an epoch, or a setting tried, with its `phase`."""
        return self._trained().history

    @property
    def decisions(self) -> list[str]:
        """What was decided without asking, each with its reason."""
        return self._trained().decisions

    def __repr__(self) -> str:
        name = self.source.label
        if self._fitted is None:
            return f"ImageClassifier({name!r}, not fitted)"
        state = "fine-tuned" if self._fitted.fine_tuned else "frozen backbone"
        return f"ImageClassifier({name!r}, {len(self.class_names)} classes, {state})"

    def _trained(self) -> Fitted:
        if self._fitted is None:
            raise NotFittedError(
                "This needs a trained classifier. Received: one that was never fitted. "
                "Call fit(data) first, or ImageClassifier.load(folder)."
            )
        return self._fitted

    def _fit_head(self, data: ImageFolder, show: Progress) -> tuple[Fitted, Probe]:
        cost: dict[str, float] = {}
        with measured(cost):
            embedding = self._pretrained()
            # The catalogue's preprocessing is known; that of any other network is looked at.
            found = look_at(embedding.frozen, data) if self.source.spec() is None else []
            before = embedding.passes
            fitted, probe = fit_head(embedding, data, self.head, self.recipe, show)
        fitted.decisions[:0] = found
        fitted.cost["head"] = {**cost, "passes": float(embedding.passes - before)}
        return fitted, probe

    def _pretrained(self) -> Embedding:
        """The backbone with its pretrained weights: the one at hand, or found or built again."""
        network = self._fitted.network if self._fitted else None
        if isinstance(network, OnBackbone) and network.recipe == self.recipe:
            return network.pretrained()
        return Embedding(self.source.frozen(self.recipe.seed), self.recipe)


def _replaces(tuned: Tuned, before: Fitted) -> bool:
    """Whether a fine-tuned model is better than what there was, frozen or fine-tuned."""
    return tuned.better and (not before.fine_tuned or tuned.best.beats(before.validation))


def _folder(data: ImageFolder | str | Path) -> ImageFolder:
    return ImageFolder(data) if isinstance(data, str | Path) else data


def labelled_part(data: Part | ImageFolder | str | Path) -> Part:
    """The part itself, the test part of a data set, or every picture of a folder."""
    if isinstance(data, Part):
        return data
    if isinstance(data, ImageFolder):
        return data.test
    folder = ImageFolder(data, split=(1.0, 0.0, 0.0))
    return folder.test if len(folder.test) else replace(folder.train, name="all")
