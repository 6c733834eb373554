"""Arrays as files that the program reads. What is on disk already is not copied, and an array is written from its own
memory."""
from __future__ import annotations

import os
import pathlib
from typing import Iterable, Mapping, Protocol, Union, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Sample = Union[Array, Mapping[str, Array]]
Samples = Union[str, "os.PathLike[str]", Array, Mapping[str, Array], Iterable[Sample]]


@runtime_checkable
class Serializable(Protocol):
    """A network in memory, as onnx.ModelProto."""

    def SerializeToString(self) -> bytes: ...


Model = Union[str, "os.PathLike[str]", bytes, Serializable]


def model_path(model: Model, folder: pathlib.Path) -> str:
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model)
    path = folder / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return str(path)


def _save(path: pathlib.Path, array: Array) -> str:
    np.save(path, np.asarray(array), allow_pickle=False)
    return str(path)


def _save_all(path: pathlib.Path, samples: Iterable[Sample]) -> str:
    """One after another, so that only one of them is in memory: rows of a .npy for networks with one input, else a .npz."""
    iterator = iter(samples)
    first = next(iterator, None)
    if first is None:
        raise ValueError("there are no samples")
    if isinstance(first, Mapping):
        rows: dict[str, list[Array]] = {name: [np.asarray(value)] for name, value in first.items()}
        for sample in iterator:
            assert isinstance(sample, Mapping)
            for name, value in sample.items():
                rows[name].append(np.asarray(value))
        np.savez(path.with_suffix(".npz"), **{name: np.stack(values) for name, values in rows.items()})  # type: ignore[arg-type]
        return str(path.with_suffix(".npz"))
    head = np.asarray(first)
    count = 1
    raw = path.with_suffix(".raw")
    with raw.open("wb") as stream:
        head.tofile(stream)
        for sample in iterator:
            row = np.asarray(sample)
            if row.shape != head.shape or row.dtype != head.dtype:
                raise ValueError(f"sample {count} is {row.dtype}{list(row.shape)}, the first is {head.dtype}{list(head.shape)}")
            row.tofile(stream)
            count += 1
    with path.open("wb") as stream, raw.open("rb") as rows_file:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": np.lib.format.dtype_to_descr(head.dtype), "fortran_order": False, "shape": (count, *head.shape)}
        )
        while block := rows_file.read(1 << 20):
            stream.write(block)
    raw.unlink()
    return str(path)


def samples_path(samples: Samples, folder: pathlib.Path, name: str) -> str:
    """A path is one; an array has samples along its first axis; a mapping has such an array for each input; else one sample
    after another, without that axis."""
    if isinstance(samples, (str, os.PathLike)):
        return os.fspath(samples)
    if isinstance(samples, np.ndarray):
        return _save(folder / f"{name}.npy", samples)
    if isinstance(samples, Mapping):
        np.savez(folder / f"{name}.npz", **samples)
        return str(folder / f"{name}.npz")
    return _save_all(folder / f"{name}.npy", samples)
