"""What records add up to."""

from forebay.model import Usage, UsageSource, total

FIRST = Usage(1, 2, 3, 4, UsageSource.REPORTED, 5, 6, 7, "flex")
SECOND = Usage(10, 20, 30, 40, UsageSource.ESTIMATED, 50, 60, 70, "default")


def test_usages_add_up_and_are_estimated_if_one_is() -> None:
    assert total([FIRST, SECOND]) == Usage(
        11, 22, 33, 44, UsageSource.ESTIMATED, 55, 66, 77, "default"
    )


def test_one_usage_is_its_own_sum() -> None:
    assert total([FIRST]) == FIRST


def test_no_usage_is_nothing() -> None:
    assert total([]) == Usage(0, 0)
