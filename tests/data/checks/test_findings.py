import json
from pathlib import Path

import pytest

from tlkeras.data.check import Finding as SameFinding
from tlkeras.data.checks.findings import Finding, Findings


@pytest.fixture
def found() -> Findings:
    paths = [Path(f"a/{number}.png") for number in range(7)]
    details = [f"rose → daisy, {90 - number} %" for number in range(7)]
    return Findings("7 pictures", [Finding("suspected", "info", "7 labels", paths, details)])


def test_more_findings_are_sorted_in_under_the_same_summary(found):
    more = found.with_([Finding("bad", "error", "very"), Finding("odd", "info", "rather")])
    assert [finding.kind for finding in more] == ["bad", "suspected", "odd"]
    assert more.summary == found.summary
    assert not more.ok
    assert found.ok
    assert len(found) == 1


def test_details_stand_beside_their_paths(found):
    lines = [line.strip() for line in str(found).splitlines()]
    assert "a/0.png: rose → daisy, 90 %" in lines
    assert "and 2 more" in lines
    assert "a/0.png: rose → daisy, 90 %" in found._repr_html_()


def test_details_go_into_json_one_for_each_path(found):
    (one,) = json.loads(json.dumps(found.to_dict()))["findings"]
    assert len(one["details"]) == len(one["paths"]) == 7


def test_as_many_details_as_paths_are_asked_for():
    with pytest.raises(ValueError, match=r"2 paths, or none. Received: 1"):
        Finding("odd", "info", "2 pictures", [Path("a"), Path("b")], ["one"])


def test_findings_are_where_the_checks_are():
    assert SameFinding is Finding
