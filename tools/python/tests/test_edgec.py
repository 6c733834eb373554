"""The module against the program: files, arrays, progress, errors. EDGEC_PROGRAM names a program that is
not installed, EDGEC_HOME a folder with README.md and models/."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import edgec

home = pathlib.Path(os.environ.get("EDGEC_HOME") or pathlib.Path(__file__).resolve().parents[3])
root = home / "models"
mlp, cnn = root / "digits_mlp.onnx", root / "digits_cnn.onnx"
calib = np.load(root / "digits_calib.npz")["x"]
test = np.load(root / "digits_test.npz")
fast = {"effort": "fast", "calib_limit": 40}


def test_compresses_a_file_on_an_array(tmp_path):
    result = edgec.compress(mlp, tmp_path / "small.onnx", int8=True, calib=calib, **fast)
    assert result.met and result.path == str(tmp_path / "small.onnx") and result.model is None
    assert result.report.bytes_before == mlp.stat().st_size
    assert result.report.bytes_after == os.path.getsize(result.path) < result.report.bytes_before / 3
    assert result.report.agreement > 0.95 and result.report.sqnr_db > 20


def test_arrays_files_and_iterables_give_the_same_bytes():
    by_file = edgec.compress(mlp, int8=True, calib=root / "digits_calib.npz", **fast).model
    by_array = edgec.compress(mlp, int8=True, calib=calib, **fast).model
    by_rows = edgec.compress(mlp, int8=True, calib=(row for row in calib), **fast).model
    by_name = edgec.compress(mlp, int8=True, calib={"x": calib}, **fast).model
    assert by_file is not None and by_file == by_array == by_rows == by_name


def test_rows_as_mappings():
    rows = ({"x": row} for row in calib[:40])
    assert edgec.compress(mlp, int8=True, calib=rows, effort="fast").model


def test_a_network_may_be_bytes(tmp_path):
    assert edgec.compress(mlp.read_bytes(), int8=True, calib=calib, **fast).model == edgec.compress(
        mlp, int8=True, calib=calib, **fast).model


def test_a_network_may_be_an_onnx_object():
    onnx = pytest.importorskip("onnx")
    result = edgec.compress(onnx.load(mlp), int8=True, calib=calib, **fast)
    assert onnx.load_from_string(result.model).graph.node


def test_any_option_goes_by_its_name():
    result = edgec.compress(mlp, int8="static", weight_bits=4, opset=21, calib=calib, exclude=["no_such|.*1.*"], **fast)
    options = result.report.provenance.options
    assert options["weight-bits"] == "4" and options["effort"] == "fast"


def test_off_is_left_out():
    assert edgec.compress(mlp, int8=True, overridable=False, prune=None, calib=calib, **fast).met


def test_options_are_listed():
    listed = {option["name"]: option for option in edgec.options()}
    assert listed["weight_bits"]["choices"] == ["4", "8"] or "8" in str(listed["weight_bits"])
    assert listed["prune"]["help"]


def test_an_unknown_option_is_named_with_the_nearest():
    with pytest.raises(edgec.UsageError, match="did you mean '--weight-bits'"):
        edgec.compress(mlp, int8=True, wieght_bits=4)


@pytest.mark.parametrize("model, kind, status, text", [
    ("nothing.onnx", edgec.BadInput, 3, "nothing.onnx: cannot open"),
    (b"\x08\x07 no network", edgec.BadInput, 3, "model.onnx"),
])
def test_errors_have_the_programs_status_and_sentence(model, kind, status, text):
    with pytest.raises(kind, match=text) as caught:
        edgec.compress(model, int8=True)
    assert caught.value.status == status and isinstance(caught.value, edgec.Error)


def test_a_missed_budget_is_no_error():
    result = edgec.compress(mlp, int8=True, max_size=100, calib=calib, **fast)
    assert not result.met and result.model and not result.report.budgets[0].met


def test_progress_rises_to_the_end():
    told = []
    edgec.compress(cnn, int8=True, calib=calib, progress=lambda share, step: told.append((share, step)), **fast)
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] > 0.8 and len({step for _, step in told}) >= 3


def test_an_exception_of_progress_ends_the_program():
    def stop(share, step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edgec.compress(cnn, int8=True, calib=calib, progress=stop)


def test_evaluates_with_labels_and_a_reference():
    report = edgec.evaluate(mlp, test["x"], labels=test["y"], reference=cnn)
    assert report.samples == len(test["x"]) and report.top1 > 0.9 and 0.9 < report.agreement <= 1


def test_runs_a_network_on_arrays():
    outputs = edgec.run(mlp, {"x": test["x"][:8]})
    assert outputs["logits"].shape == (8, 10) and (outputs["logits"].argmax(1) == test["y"][:8]).mean() > 0.8


def test_compressed_bytes_can_be_run():
    small = edgec.compress(cnn, int8=True, calib=calib, **fast).model
    ours, theirs = edgec.run(small, {"x": test["x"]})["logits"], edgec.run(cnn, {"x": test["x"]})["logits"]
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.97


def test_inspects():
    assert edgec.inspect(mlp)


def test_a_report_is_a_mapping_too():
    report = edgec.compress(mlp, int8=True, calib=calib, **fast).report
    assert json.loads(json.dumps(report.dict()))["before"]["bytes"] == report["before"].bytes == report.bytes_before
    with pytest.raises(AttributeError, match="provenance"):
        report.nonsense


def test_the_doctor_looks_at_the_machine():
    assert edgec.doctor().threads >= 1 and edgec.version().count(".") == 2


def test_a_large_array_is_not_copied(tmp_path):
    code = ("import edgec, numpy as np, resource\n"
            "x = np.lib.format.open_memmap('x.npy', 'w+', np.float32, (600_000, 1, 8, 8)); x[:] = 0.5; x = np.array(x)\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"edgec.compress({str(mlp)!r}, int8=True, calib=x, calib_limit=8, effort='fast')\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, x.nbytes // 1024)")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    grown, size = map(int, done.stdout.split())
    assert size > 140_000 and grown < size / 10


def test_the_command_is_the_program():
    done = subprocess.run([sys.executable, "-m", "edgec", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f"edgec {edgec.version()}\n")


def test_the_readme_says_what_works(tmp_path):
    example = (home / "README.md").read_text().split("```python\n")[1].split("```")[0]
    (tmp_path / "models").symlink_to(root)
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(example.splitlines()) == 10 and "119529 -> " in done.stdout and "1 = 1" in done.stdout


def test_without_a_program_the_cure_is_told(monkeypatch):
    monkeypatch.delenv("EDGEC_PROGRAM", raising=False)
    monkeypatch.setattr("edgec._program.__file__", "/nowhere/edgec/_program.py")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(edgec.ResourceError, match="EDGEC_PROGRAM"):
        edgec.version()
