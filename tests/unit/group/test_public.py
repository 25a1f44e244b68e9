import phmri.group


def test_public_names():
    assert phmri.group.__all__ == [
        "AdjustedOutcomes",
        "ContrastPartition",
        "Estimate",
        "Exchangeability",
        "SequenceTest",
        "UnitDesign",
        "UnitTable",
        "adjust_outcomes",
        "confidence_interval",
        "effect_size_interval",
        "exchange_repeated",
        "exchange_within",
        "fit_contrast",
        "fit_covered",
        "make_outcome",
        "make_unit_design",
        "override_kind",
        "partition_contrast",
        "sequence_test",
    ]
    assert all(hasattr(phmri.group, name) for name in phmri.group.__all__)
