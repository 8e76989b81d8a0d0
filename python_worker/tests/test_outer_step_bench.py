"""The rows of the benchmark of whole outer steps."""

from bench.outer_step import WAYS, ways_with


def test_rows_in_bf16_are_only_where_the_processor_computes_it() -> None:
    assert ways_with(has_bf16=True) == WAYS
    emulated = WAYS.keys() - ways_with(has_bf16=False).keys()
    assert emulated == {name for name in WAYS if "bf16" in name}


def test_the_method_of_experiments_is_measured_with_both_poolings_everywhere() -> None:
    for has_bf16 in (False, True):
        ways = ways_with(has_bf16).values()
        assert {way.pooling for way in ways if way.method == "blockwise"} == {"first", "mean"}
        assert "usual" in ways_with(has_bf16), "what all others are compared with"
