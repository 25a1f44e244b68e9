import dataclasses
import math

import numpy as np
import pytest

from phmri.dataset import Cell, DatasetCheck
from phmri.exceptions import Problem
from phmri.inference import Claim, Cluster, Peak
from phmri.protocol import Protocol
from phmri.report import QuestionContent, RegionContent, ReportContent, RunContent

EVIL = "<script>alert('x')</script>"
AFFINE = np.array([[-4.0, 0, 0, 40], [0, 4, 0, -40], [0, 0, 4, -30], [0, 0, 0, 1]])
TREATMENTS = {
    "placebo": {"label": "Placebo"},
    "drug": {
        "label": "Drug X",
        "doses": [{"drug": "x", "route": "oral", "amount": 5.0, "unit": "mg", "start_min": 0.0}],
    },
}


def make_protocol(design, sessions, questions, **changes):
    record = {
        "phmri": 1,
        "name": "trial",
        "title": f"A trial {EVIL}",
        "registration": "NCT00000000",
        "drugs": {"x": {}},
        "treatments": TREATMENTS,
        "design": design,
        "sessions": sessions,
        "scans": {"rest": {"task": "rest"}},
        "space": "native",
        "regions": {
            "seed": {"kind": "sphere", "center_mm": [0, 0, 0], "radius_mm": 8, "space": "native"}
        },
        "denoising": {"clean": {"strategy": "6motion"}},
        "measures": {
            "fc": {"kind": "seed_to_voxel", "seed": "seed", "scan": "rest", "denoising": "clean"}
        },
        "questions": questions,
        "exclusions": {"max_mean_fd_mm": 0.5},
    }
    return Protocol.model_validate(record | changes)


def make_peak(name="", position=None, *, t=6.5, effect=0.2, p=0.0002, index=0):
    return Peak(
        name=name,
        position_mm=position,
        index=index,
        t=t,
        effect=effect,
        ci_low=effect - 0.12,
        ci_high=effect + 0.12,
        d=1.25,
        pvalue_uncorrected=p,
        pvalue_corrected=p,
        qvalue_fdr=p,
    )


def make_claim(question, **changes):
    record = {
        "question": question,
        "text": f"What of {question}?",
        "role": "primary",
        "family": None,
        "verdict": "found",
        "sentence": f"The answer to {question}.",
        "outcome": "map",
        "unit": "Fisher z",
        "n_per_group": {"treated": 4, "control": 4},
        "n_outcomes": 500,
        "n_significant": 3,
        "peaks": (
            make_peak("cingulate", (0.0, 4.0, 6.0)),
            make_peak("", (8.0, 0.0, 2.0), p=0.3, index=1),
        ),
        "clusters": (),
        "statistic": "t",
        "df": 5.0,
        "method": "voxel",
        "alpha": 0.05,
        "confidence": 0.95,
        "corrected_over": "500 voxels",
        "threshold": 4.5,
        "pvalue_interval": (0.0001, 0.001),
        "shuffled": "Participants change places.",
        "null": "the outcome is distributed alike in both arms",
        "n_permutations": 5000,
        "n_distinct": 3_000_000_000,
        "exhaustive": False,
        "estimator": "ancova",
        "alternative": "two-sided",
        "notes": ("A note.",),
        "sentences": ("Shuffled [doi:10.2202/1544-6115.1585, doi:10.1002/hbm.1058]",),
    }
    return Claim(**(record | changes))


def make_cluster(number=1, **changes):
    record = {
        "number": number,
        "sign": 1,
        "n_outcomes": 40,
        "volume_mm3": 2560.0,
        "extent": 40.0,
        "mass": 123.4,
        "centre_mm": (1.0, 4.4, -6.0),
        "peaks": (0,),
        "label": "area 24",
        "pvalue_extent": None,
        "pvalue_mass": None,
        "pvalue_tfce": None,
        "pvalue_random_field": None,
        "qvalue_topological": None,
        "true_discoveries": 17,
        "strongest": make_peak("area 24", (0.0, 4.0, 6.0)),
    }
    return Cluster(**(record | changes))


def make_run(cell, *, used=True, reason="", fd=0.1):
    return RunContent(
        subject=cell.subject,
        session=cell.session,
        scan=cell.scan,
        group=cell.group,
        treatment=cell.treatment,
        used=used,
        reason=reason,
        mean_fd_mm=fd,
        mean_std_dvars=1.0,
        tsnr_median=60.0,
        df=150.0,
        n_volumes=200,
        n_censored=10,
        region_voxels={"seed": 33},
        region_coverage={"seed": 0.875},
    )


def make_map():
    rng = np.random.default_rng(3)
    grid = np.indices((20, 20, 18))
    inside = ((grid - np.array([9.5, 9.5, 8.5])[:, None, None, None]) ** 2).sum(axis=0) < 70
    t_map = np.where(inside, rng.standard_normal(inside.shape), np.nan)
    t_map[10, 11, 9] = 6.5
    return t_map


def make_pvalues(t_map):
    """At most 0.05 where |t| is at least 4.5; NaN where nothing was tested."""
    return np.where(np.isnan(t_map), np.nan, np.where(np.abs(t_map) >= 4.5, 0.05, 0.5))


@pytest.fixture(scope="session", name="make_cluster")
def fixture_make_cluster():
    return make_cluster


@pytest.fixture(scope="session", name="make_claim")
def fixture_make_claim():
    return make_claim


@pytest.fixture(scope="session")
def parallel():
    question = {
        "text": "q",
        "role": "primary",
        "measure": "fc",
        "contrast": ["treated", "control"],
        "session": "acute",
        "baseline": "before",
        "estimator": "ancova",
    }
    names = ("network", "whole", "single", "refused", "none")
    protocol = make_protocol(
        {
            "kind": "parallel",
            "arms": {
                "control": {"treatment": "placebo", "n_planned": 5},
                "treated": {"treatment": "drug", "n_planned": 5},
            },
        },
        {"before": {"phase": "baseline"}, "acute": {"phase": "acute"}},
        dict.fromkeys(names, question),
    )
    subjects = [f"{number:02d}" for number in range(1, 11)]
    groups = {s: "control" if index < 5 else "treated" for index, s in enumerate(subjects)}
    cells = tuple(
        Cell(
            subject=subject,
            session=session,
            scan="rest",
            group=groups[subject],
            treatment=None,
            status="missing" if (subject, session) == ("02", "acute") else "ok",
            reason="no run found" if (subject, session) == ("02", "acute") else "",
            run=None,
        )
        for subject in subjects
        for session in protocol.sessions
    )
    runs = tuple(
        make_run(
            cell,
            used=cell.subject not in {"06", "07"},
            reason=f"mean framewise displacement 0.{cell.subject} mm is above the limit"
            if cell.subject in {"06", "07"}
            else "",
            fd=0.1 + 0.01 * int(cell.subject),
        )
        for cell in cells
        if cell.status == "ok"
    )
    rng = np.random.default_rng(1)
    values = {(c.subject, c.session): float(rng.normal(0.2, 0.1)) for c in cells}
    edges = tuple(f"n{a}~n{b}" for a in range(10) for b in range(a + 1, 10))
    edge_t = (*(float(t) for t in rng.normal(size=44)), 5.5)
    edge_p = (*(0.5 for _ in range(44)), 0.01)
    common = {
        "t_map": None,
        "p_map": None,
        "affine": None,
        "values": values,
        "values_label": f"FC {EVIL}",
    }
    t_map = make_map()
    questions = (
        QuestionContent(
            claim=make_claim(
                "network", role="exploratory", outcome="edges", n_outcomes=45,
                peaks=tuple(make_peak(name, t=2.0, index=i) for i, name in enumerate(edges[:15])),
            ),
            **(common | {"t_values": edge_t, "p_values": edge_p, "names": edges}),
        ),
        QuestionContent(
            claim=make_claim("whole", sentence=f"Found {EVIL} it.", family="acute"),
            **(common | {"t_map": t_map, "p_map": make_pvalues(t_map), "affine": AFFINE}),
        ),
        QuestionContent(
            claim=make_claim(
                "single", role="secondary", outcome="scalar", verdict="not found",
                corrected_over="",
                peaks=(make_peak("mean", t=-1.234, effect=-0.0567, p=0.4321),),
            ),
            **common,
        ),
        QuestionContent(
            claim=make_claim(
                "refused", role="exploratory", verdict="refused", outcome="scalar", peaks=(),
                df=math.nan, threshold=math.inf, n_per_group={}, n_permutations=0,
                n_distinct=0, sentence="No column 'sex'.", notes=(), sentences=(),
            ),
            **(common | {"values": {}}),
        ),
    )  # fmt: skip
    mask = np.zeros((20, 20, 18))
    mask[8:12, 9:12, 8:11] = 0.5
    return ReportContent(
        protocol=protocol,
        protocol_sha256="0123456789abcdef" * 4,
        check=DatasetCheck(
            cells=cells, questions=(), problems=(Problem(what=f"broken {EVIL}", subject="02"),)
        ),
        groups=groups,
        runs=runs,
        regions=(
            RegionContent(
                name="seed", mask=mask, affine=AFFINE, description=f"sphere {EVIL}", n_voxels=36
            ),
        ),
        questions=questions,
        simulated=True,
        methods=(
            "Cleaned by regression [doi:10.1002/hbm.24528].",
            "Smoothed [doi:10.1002/HBM.1058]",
        ),
        versions={"phmri": "0.1.0", "numpy": "2.4.6"},
        created="2026-01-02T03:04:05Z",
        command="phmri run a b all",
    )


@pytest.fixture(scope="session")
def crossover():
    protocol = make_protocol(
        {"kind": "crossover", "order": "unknown",
         "sequences": {"any": {"treatments": ["drug", "placebo"]}}},
        {"one": {"phase": "acute", "treatment": "drug"},
         "two": {"phase": "acute", "treatment": "placebo"}},
        {"mean": {"text": "q", "role": "primary", "measure": "fc", "contrast": ["drug", "placebo"],
                  "estimator": "crossover"}},
    )  # fmt: skip
    subjects = [f"{number:02d}" for number in range(1, 9)]
    cells = tuple(
        Cell(
            subject=subject, session=session, scan="rest", group=None,
            treatment=protocol.sessions[session].treatment, status="ok", reason="", run=None,
        )
        for subject in subjects
        for session in protocol.sessions
    )  # fmt: skip
    runs = tuple(
        dataclasses.replace(
            make_run(cell), mean_fd_mm=math.nan, tsnr_median=math.nan, n_censored=0,
            region_voxels={}, region_coverage={},
        )
        for cell in cells
    )  # fmt: skip
    values = {
        (c.subject, c.session): 0.1 * int(c.subject) + (0.25 if c.session == "one" else 0.0)
        for c in cells
    }
    claim = make_claim(
        "mean", outcome="scalar", n_per_group={"unknown": 8},
        peaks=(make_peak("mean", effect=0.25),),
        estimator="paired", exhaustive=True, n_permutations=256, n_distinct=256,
    )  # fmt: skip
    return ReportContent(
        protocol=protocol,
        protocol_sha256="f" * 64,
        check=DatasetCheck(cells=cells, questions=(), problems=()),
        groups=dict.fromkeys(subjects, "all"),
        runs=runs,
        regions=(),
        questions=(
            QuestionContent(
                claim=claim,
                t_map=None,
                p_map=None,
                affine=None,
                values=values,
                values_label="FC (Fisher z)",
            ),
        ),
        simulated=False,
        methods=("Eight people.",),
        versions={},
        created="2026-01-02T03:04:05Z",
        command="phmri run",
    )
