"""Tables for people: they fit the terminal, and nothing is wrapped in the middle of a word."""

from __future__ import annotations

from producer.cli.show.tables import lines_of

HEADER = ("volume", "size", "held by", "since", "why")
ROWS = [("home", "12 GiB", "", "2026-11-20T18:30:00Z", "no device is left"), ("srv", "1 B", "", "2026-11-21", "")]
SELDOM = ("since", "held by", "size")


def table(width: int | None) -> list[str]:
    return list(lines_of(HEADER, ROWS, right=" >", seldom=SELDOM, width=width))


def test_a_table_without_a_terminal_has_all_columns_aligned() -> None:
    assert table(None) == [
        "volume    size  held by  since                 why",
        "home    12 GiB           2026-11-20T18:30:00Z  no device is left",
        "srv        1 B           2026-11-21",
    ]


def test_columns_without_text_go_first_then_those_that_are_seldom_needed() -> None:
    assert "held by" not in table(60)[0]
    assert table(60)[0].split() == ["volume", "size", "since", "why"]
    assert table(35)[0].split() == ["volume", "size", "why"]
    assert table(200) == table(None)


def test_what_is_too_long_even_so_is_cut_and_numbers_stay_whole() -> None:
    lines = list(lines_of(("size", "why"), [("12 GiB", "a long story that goes on")], right=">", width=24))
    assert lines == ["  size  why", "12 GiB  a long story th…"]
    assert max(map(len, lines)) == 24


def test_names_are_cut_only_when_nothing_else_is_left_to_cut() -> None:
    name, why = "n" * 63, "a long story that goes on"

    def at(width: int) -> str:
        return list(lines_of(("device", "free", "why"), [(name, "12 GiB", why)], right="=>", width=width))[1]

    assert at(90) == f"{name}  12 GiB  a long story tha…"
    assert [len(at(width)) for width in (90, 60, 40, 30)] == [90, 60, 40, 30]
    assert at(30) == "nnnnnnnnnnn…  12 GiB  a long …"
