import phmri.dataset as room


def test_public_names() -> None:
    assert sorted(room.__all__) == [
        "AtlasLabels",
        "AtlasStore",
        "Cell",
        "Confounds",
        "DatasetCheck",
        "DatasetIndex",
        "Events",
        "Image",
        "QuestionCheck",
        "Run",
        "Series",
        "VolumeReader",
        "check_dataset",
        "file_sha256",
        "index_dataset",
        "needed_cells",
        "open_volumes",
        "read_confounds",
        "read_events",
        "read_image",
        "read_json",
        "read_mask",
        "read_series",
        "read_table",
        "sidecar_path",
        "unit_groups",
        "write_bytes",
        "write_image",
        "write_json",
        "write_table",
        "write_text",
        "write_volumes",
    ]
    assert all(hasattr(room, name) for name in room.__all__)
