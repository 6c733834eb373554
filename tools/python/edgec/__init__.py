"""Make trained neural networks small and fast without making them wrong.

    import edgec
    result = edgec.compress("model.onnx", int8=True, calib=samples)
    print(result.report.bytes_after, result.report.agreement)

Each function runs the program edgec. Keywords are the options of its command line by their names, `-` as `_`:
weight_bits=4 is --weight-bits 4, int8=True is --int8, a list gives an option several times; options() lists those of
compress. Networks are paths, bytes or ONNX objects; samples are paths, arrays with samples along the first axis, mappings from
inputs to such arrays, or iterables of samples.
"""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import tempfile
from typing import Any, Mapping, Optional, Union

import numpy as np

from ._program import (BadInput, Error, Interrupted, Option, Progress, ResourceError, Unsupported, UsageError, run as _run,
                       words as _words)
from ._report import CompressReport, Report
from ._samples import Array, Model, Samples, model_path, samples_path

__all__ = ["Array", "BadInput", "CompressReport", "Error", "Interrupted", "Model", "Report", "ResourceError", "Result",
           "Samples", "Unsupported", "UsageError", "compress", "doctor", "evaluate", "inspect", "options", "run", "version"]


@dataclasses.dataclass(frozen=True)
class Result:
    """What compress() made."""

    report: CompressReport
    met: bool  # every budget, and every option found something to do
    path: Optional[str]  # of the file; None: it was not to be kept
    model: Optional[bytes]  # the file itself, where there is no path


def compress(model: Model, output: Union[str, "os.PathLike[str]", None] = None, *, calib: Optional[Samples] = None,
             eval: Optional[Samples] = None, labels: Optional[Samples] = None, progress: Optional[Progress] = None,
             **options: Option) -> Result:
    """Compresses a network as `edgec compress` does. Without `output` the file is in `Result.model`. `progress` is
    called with the share that is done and the name of the step. Raises an Error; a missed budget is none (`Result.met`)."""
    with tempfile.TemporaryDirectory(prefix="edgec-") as name:
        folder = pathlib.Path(name)
        kept = os.fspath(output) if output is not None else str(folder / "result.onnx")
        data = {"calib": calib, "eval": eval, "labels": labels}
        paths = {key: samples_path(value, folder, key) for key, value in data.items() if value is not None}
        done = _run(["compress", model_path(model, folder), f"--output={kept}", "--json", *_words({**paths, **options})],
                    progress)
        report = CompressReport(json.loads(done.output) if done.output.startswith("{") else {})
        written = pathlib.Path(kept).read_bytes() if output is None and os.path.exists(kept) else None
        return Result(report, done.status == 0, None if output is None else kept, written)


def evaluate(model: Model, data: Samples, *, labels: Optional[Samples] = None, reference: Optional[Model] = None,
             progress: Optional[Progress] = None, **options: Option) -> Report:
    """Accuracy with labels, agreement and SQNR against a reference, as `edgec eval` measures them."""
    with tempfile.TemporaryDirectory(prefix="edgec-") as name:
        folder = pathlib.Path(name)
        (folder / "reference").mkdir()
        paths: dict[str, Option] = {"data": samples_path(data, folder, "data")}
        if labels is not None:
            paths["labels"] = samples_path(labels, folder, "labels")
        if reference is not None:
            paths["reference"] = model_path(reference, folder / "reference")
        return Report(json.loads(_run(["eval", model_path(model, folder), "--json", *_words({**paths, **options})],
                                      progress).output))


def run(model: Model, inputs: Mapping[str, Array], **options: Option) -> dict[str, Array]:
    """The outputs of a network by their names, each as an array."""
    with tempfile.TemporaryDirectory(prefix="edgec-") as name:
        folder = pathlib.Path(name)
        files = []
        for number, (key, array) in enumerate(inputs.items()):
            files.append(f"{key}={samples_path(np.asarray(array), folder, f'input{number}')}")
        _run(["run", model_path(model, folder), f"--output={folder / 'outputs.npz'}", *_words({"input": files, **options})])
        with np.load(folder / "outputs.npz") as outputs:
            return {key: outputs[key] for key in outputs.files}


def inspect(model: Model, **options: Option) -> Report:
    """Inputs, outputs, operators and sizes of a network."""
    with tempfile.TemporaryDirectory(prefix="edgec-") as name:
        arguments = ["inspect", model_path(model, pathlib.Path(name)), "--json", *_words(options)]
        return Report(json.loads(_run(arguments).output))


def options() -> list[dict[str, Any]]:
    """The options of compress() that lossy passes have: name, help, value, choices, limits and default of each."""
    listed: list[dict[str, Any]] = json.loads(_run(["passes", "--options", "--json"]).output)
    return [{**option, "name": option["name"].replace("-", "_")} for option in listed]


def doctor() -> Report:
    """What edgec finds on this machine, and what will be slow."""
    return Report(json.loads(_run(["doctor", "--json"]).output))


def version() -> str:
    """Of the program."""
    made_of = doctor().made_of
    return str(made_of.edgec)
