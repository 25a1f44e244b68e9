"""A trial whose first level is done: what each run gave is written by the test itself."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from phmri.dataset import Cell, DatasetCheck, DatasetIndex, Run, write_image, write_table
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._group import answer_question
from phmri.pipeline._job import ExposureCurve, RunJob, measure_path
from phmri.pipeline._labels import label_regions
from phmri.pipeline._loading import MeasuredRun
from phmri.pipeline._manifest import RunManifest
from phmri.pipeline._provenance import FileRecord
from phmri.protocol import Protocol, treatment_of
from phmri.signals import Grid, RegionOnGrid

SHAPE = (3, 2, 2)
N_VOXELS = 12
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
GRID = Grid(shape=SHAPE, affine=AFFINE, space="MNI152NLin2009cAsym")
N_VOLUMES, T_R = 60, 2.0
EDGES = (0.0, 0.2, 0.4, 0.6)
TARGET = RegionOnGrid(
    name="target", voxels=np.array([1, 5]), weights=np.array([0.25, 0.75]), source={}
)
Make = Callable[[str, str, str, str], object]
"""Participant, session, denoising, statistic -> values of the voxels or parcels."""


def infusion(**changes: object) -> dict[str, object]:
    return {
        "kind": "infusion",
        "scan": "rest",
        "denoising": "motion",
        "sensitivity": ["gsr"],
        "response": {"model": "pseudoblock", "bin_s": 12},
        "drift": {"order": 0, "max_overlap": 0.99},
        **changes,
    }


def step(**changes: object) -> dict[str, object]:
    """Give an infusion measure without bins."""
    return infusion(**{"response": {"model": "step"}, **changes})


def question(measure: str = "step", **changes: object) -> dict[str, object]:
    return {
        "text": "Does it?",
        "role": "primary",
        "measure": measure,
        "contrast": ["drug", "placebo"],
        "estimator": "crossover",
        **changes,
    }


def document(**changes: object) -> dict[str, object]:
    """Give a crossover of two periods, with one infusion measure."""
    dose = {"drug": "x", "route": "intravenous", "amount": 0.5, "unit": "mg/kg", "start_min": 0}
    sphere = {"kind": "sphere", "center_mm": [0, 0, 0], "radius_mm": 4, "space": GRID.space}
    return {
        "phmri": 1,
        "name": "trial",
        "title": "A trial",
        "drugs": {"x": {}},
        "treatments": {
            "placebo": {"label": "Saline"},
            "drug": {"label": "Drug X", "doses": [{**dose, "duration_min": 1}]},
        },
        "design": {
            "kind": "crossover",
            "sequences": {
                "ab": {"treatments": ["drug", "placebo"]},
                "ba": {"treatments": ["placebo", "drug"]},
            },
        },
        "sessions": {
            "one": {"phase": "acute", "period": 1},
            "two": {"phase": "acute", "period": 2},
        },
        "scans": {"rest": {"task": "rest", "start_min": {"one": -1, "two": -1}}},
        "space": GRID.space,
        "regions": {"target": sphere},
        "parcellations": {"atlas": {"file": "a.nii.gz", "names": "a.tsv", "space": GRID.space}},
        "denoising": {
            "motion": {"strategy": "6motion"},
            "gsr": {"strategy": "24motion_wmcsf_gsr"},
        },
        "measures": {
            "step": step(),
            "parcels": step(parcels="atlas"),
            "bins": infusion(),
            "parcel_bins": infusion(parcels="atlas"),
        },
        "questions": {"it": question()},
        "inference": {"method": "voxel", "n_permutations": 100},
        **changes,
    }


def parallel(**changes: object) -> dict[str, object]:
    """Give two arms with a session before and two after."""
    acute = {"phase": "acute"}
    return document(
        **{
            "design": {
                "kind": "parallel",
                "arms": {"treated": {"treatment": "drug"}, "control": {"treatment": "placebo"}},
            },
            "sessions": {"before": {"phase": "baseline"}, "day": acute, "week": acute},
            "scans": {
                "rest": {"task": "rest", "start_min": {"before": -1, "day": -1, "week": -1}}
            },
            "questions": {"it": PARALLEL},
            "inference": {"method": "fdr"},
            **changes,
        }
    )


PARALLEL = question(contrast=["treated", "control"], session="day", estimator="post")
CROSSED = {f"{i:02d}": "ab" if i % 2 else "ba" for i in range(1, 9)}
ARMS = {f"{i:02d}": "treated" if i % 2 else "control" for i in range(1, 11)}


@dataclass(frozen=True)
class Trial:
    """A protocol with measured runs."""

    inputs: GroupInputs

    def answer(self, name: str = "it") -> QuestionAnswer:
        """Answer a question, which must not be refused."""
        found = answer_question(self.inputs, name, lambda stage, done, total: None)
        assert found.claim.verdict != "refused", found.claim.sentence
        return found

    def write(
        self,
        measure: str,
        make: Make,
        *,
        statistics: tuple[str, ...] = ("effect",),
        edges: Mapping[tuple[str, str], tuple[float, ...]] | None = None,
    ) -> None:
        """Write what a measure gave in every run, under both denoisings."""
        for key, run in self.inputs.runs.items():
            subject, session, _ = key
            own = (edges or {}).get((subject, session), EDGES)
            sidecar = {"Model": {"bin_edges_min": [f"{edge:.6g}" for edge in own]}}
            here = [name for name in statistics if name[:3] != "bin" or int(name[3:]) < len(own)]
            written = list(run.manifest.outputs)
            for denoising in ("motion", "gsr"):
                columns = {name: make(subject, session, denoising, name) for name in here}
                paths = _write(run.job, measure, denoising, columns, sidecar)
                written += map(FileRecord.of, paths)
            manifest = replace(run.manifest, outputs=tuple(written))
            self.inputs.runs[key] = replace(run, manifest=manifest)


def _write(
    job: RunJob,
    measure: str,
    denoising: str,
    columns: Mapping[str, object],
    sidecar: Mapping[str, object],
) -> list[Path]:
    if not job.measures[measure].is_map:
        path = measure_path(job, measure, denoising=denoising)
        names = [f"p{i}" for i in range(len(np.asarray(next(iter(columns.values())))))]
        write_table(path, pd.DataFrame({"name": names, **columns}), sidecar)
        return [path]
    paths = []
    for name, values in columns.items():
        path = measure_path(job, measure, denoising=denoising, statistic=name)
        volume = np.asarray(values, np.float32).reshape(SHAPE)
        write_image(path, volume, AFFINE, sidecar)
        paths.append(path)
    return paths


def make_job(
    protocol: Protocol,
    out_dir: Path,
    subject: str = "01",
    session: str = "one",
    *,
    scan: str = "rest",
    start_min: float | None = -1.0,
    exposures: Mapping[str, ExposureCurve] | None = None,
) -> RunJob:
    """Make the job of a run that has no files of its own."""
    run = Run(
        subject=subject,
        session=session,
        task=protocol.scans[scan].task,
        run=None,
        space=GRID.space,
        resolution=None,
        seg=None,
        kind="volume",
        pipeline="tests",
        path=out_dir / "bold.nii.gz",
        mask=out_dir / "mask.nii.gz",
        confounds=None,
        events=None,
        t_r=T_R,
        n_volumes=N_VOLUMES,
        shape=SHAPE,
        affine=AFFINE,
    )
    measures = {name: item for name, item in protocol.measures.items() if item.scan == scan}
    return RunJob(
        run=run,
        scan_name=scan,
        scan=protocol.scans[scan],
        session=session,
        measures=measures,
        denoising=dict(protocol.denoising),
        exclusions=protocol.exclusions,
        regions=(),
        series={},
        parcels={},
        start_min=start_min,
        exposures=dict(exposures or {}),
        maps={},
        out_dir=out_dir,
        protocol_sha256="0" * 64,
        key=f"{subject} {session} {scan}",
    )


def make_run(
    job: RunJob, *, nuisance: Mapping[str, float] | None = None, excluded: str = ""
) -> MeasuredRun:
    """Call a job done."""
    manifest = RunManifest(
        step_key=job.key,
        protocol_sha256=job.protocol_sha256,
        subject=job.run.subject,
        session=job.session,
        scan=job.scan_name,
        excluded=excluded,
        sources=(),
        outputs=(),
        n_volumes=N_VOLUMES,
        mean_fd_mm=0.1,
        mean_std_dvars=1.0,
        tsnr_median=50.0,
        region_voxels={},
        region_coverage={},
        region_sources={},
        cleaning={},
        nuisance=dict(nuisance or {}),
    )
    return MeasuredRun(job=job, manifest=manifest)


def make_trial(
    root: Path,
    content: Mapping[str, object] | None = None,
    people: Mapping[str, str] = CROSSED,
    *,
    nuisance: Mapping[tuple[str, str], Mapping[str, float]] | None = None,
    excluded: Mapping[tuple[str, str], str] | None = None,
) -> Trial:
    """Measure every participant of a protocol in every session."""
    unshared = json.loads(json.dumps(content or document()))
    protocol = Protocol.model_validate(unshared)
    cells, runs = [], {}
    for subject, group in people.items():
        for session in protocol.sessions:
            job = make_job(protocol, root, subject, session)
            cells.append(
                Cell(
                    subject=subject,
                    session=session,
                    scan="rest",
                    group=group,
                    treatment=treatment_of(protocol, group, session),
                    status="ok",
                    reason="",
                    run=job.run,
                )
            )
            run = make_run(
                job,
                nuisance=(nuisance or {}).get((subject, session)),
                excluded=(excluded or {}).get((subject, session), ""),
            )
            runs[run.key] = run
    participants = pd.DataFrame(
        {protocol.design.column: list(people.values())},
        index=pd.Index(list(people), name="participant_id"),
    )
    return Trial(
        GroupInputs(
            ratings={},
            happened={},
            protocol=protocol,
            index=DatasetIndex(
                root=root,
                derivatives=(),
                runs=(),
                participants=participants,
                sessions=pd.DataFrame({"subject": [], "session": []}),
                phenotype={},
            ),
            check=DatasetCheck(cells=tuple(cells), questions=(), problems=()),
            runs=runs,
            regions={"target": TARGET},
            grid=GRID,
            labels=label_regions({}, GRID),
            out_dir=root,
            n_threads=1,
        )
    )


# --------------------------------------------------------------------------------- by hand
def orders_of(sequences: np.ndarray) -> np.ndarray:
    """List every way to give the first order to as many people as had it, the true one first."""
    n, k = len(sequences), int(sequences.sum())
    ways = [np.isin(np.arange(n), chosen) for chosen in combinations(range(n), k)]
    others = [way for way in ways if (way != sequences).any()]
    return np.array([sequences, *others])


def crossover_fit(
    first: np.ndarray, second: np.ndarray, drug_first: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Give effect, standard error and degrees of freedom from the images of both periods."""
    difference = first - second
    one, other = difference[drug_first], difference[~drug_first]
    df = len(difference) - 2
    ss = ((one - one.mean(0)) ** 2).sum(0) + ((other - other.mean(0)) ** 2).sum(0)
    se = np.sqrt(ss / df * (1 / len(one) + 1 / len(other))) / 2
    return (one.mean(0) - other.mean(0)) / 2, se, df
