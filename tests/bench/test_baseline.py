"""The baseline: learns the season, is calibrated to the series, and learns no anomaly."""

from __future__ import annotations

import datetime

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunella.api import detectors, types
from prunella.core import model
from prunella.detectors import baseline

STEP, HOUR, DAY = 300, 12, 288
START = 1_767_571_200
"""Monday, 2026-01-05 00:00 UTC."""
DEFAULT = baseline.Params()


def times(days: float) -> np.ndarray:
    """Unix times of 5-minute samples."""
    return START + np.arange(round(days * DAY)) * float(STEP)


def noise(days: float, seed: int = 0, size: float = 1.0) -> np.ndarray:
    """Normal noise around 50."""
    return np.random.default_rng(seed).normal(50.0, size, round(days * DAY))


def nightly(days: float, seed: int = 0) -> np.ndarray:
    """A backup from 3 to 4 in the night lifts the value from 20 to 90."""
    values = noise(days, seed) - 30.0
    hour = np.arange(len(values)) % DAY // HOUR
    return np.where(hour == 3, values + 70.0, values)


def run(
    values: np.ndarray, params: baseline.Params = DEFAULT, beside: np.ndarray | None = None
) -> list[baseline.Tick]:
    """The verdicts on one series of 5-minute samples."""
    column = None if beside is None else beside[:, None]
    return baseline.run(params, START + np.arange(len(values)) * STEP, values[:, None], column)


def column(ticks: list[baseline.Tick], name: str) -> np.ndarray:
    """One field of all ticks, of the first series."""
    return np.array([getattr(tick, name)[0] for tick in ticks])


def at(day: float, hour: float = 0.0) -> int:
    """The sample at that time."""
    return round(day * DAY + hour * HOUR)


def test_the_nightly_peak_is_usual_and_the_same_value_at_noon_is_not() -> None:
    """90 at 3 in the night is normal during the backup; at noon it is an anomaly at once."""
    values = nightly(10)
    values[at(9, 12) : at(9, 13)] = 90.0
    unhealthy = column(run(values), "unhealthy")
    assert not unhealthy[at(5) : at(9, 12)].any()
    assert unhealthy[at(9, 12)]
    assert unhealthy[at(9, 12) : at(9, 13)].all()


@pytest.mark.parametrize("begins", [2, 10, 18], ids="from {} h".format)
@pytest.mark.parametrize("minutes", [30, 120], ids="{} min".format)
def test_a_square_peak_of_each_day_is_known_at_its_hour_only(begins: int, minutes: int) -> None:
    """The hour of the day speaks, whenever the peak is; its load at another hour is rare."""
    row = np.arange(14 * DAY)
    since = (row % DAY - begins * HOUR) % DAY
    values = 2.0 + 7.0 * (since < minutes // 5) + 0.2 * (noise(14) - 50.0)
    away = at(13, (begins + 10) % 24)
    values[away : away + 3] = 9.0
    ticks = run(values)
    assert column(ticks, "spoke")[away] == 1
    assert column(ticks, "score")[away : away + 3].max() >= 3.0
    assert not column(ticks, "unhealthy")[at(5) : away].any()


def test_a_peak_of_working_days_is_usual_after_the_weekend() -> None:
    """Neither the quiet weekend nor the Monday after it is an anomaly."""
    row = np.arange(11 * DAY)
    busy = (row // DAY % 7 < 5) & (row % DAY // HOUR >= 9) & (row % DAY // HOUR < 18)
    values = 2.0 + 7.0 * busy + 0.2 * (noise(11) - 50.0)
    assert not column(run(values), "unhealthy")[at(4) :].any()


MOVES = {
    "with the clocks of its zone": ("America/New_York", 4, False),
    "by an hour, no zone given": ("UTC", 4, False),
    "by three hours": ("UTC", 2, True),
}


@pytest.mark.parametrize(("zone", "behind", "seen"), MOVES.values(), ids=MOVES)
def test_a_nightly_peak_may_move_by_an_hour(zone: str, behind: int, seen: bool) -> None:
    """The clocks change, with or without a time zone: the night's job is usual; at 1 it is not."""
    start = datetime.datetime(2026, 2, 26, tzinfo=datetime.UTC).timestamp()
    moments = start + np.arange(11 * DAY) * STEP
    changed = datetime.datetime(2026, 3, 8, 7, tzinfo=datetime.UTC).timestamp()
    local = moments - np.where(moments < changed, 5, behind) * 3600
    peak = (local % 86400 // 3600) == 9
    values = noise(11) + 70.0 * peak
    ticks = baseline.run(baseline.Params(time_zone=zone), moments, values[:, None])
    assert seen == column(ticks, "unhealthy")[-DAY:].any()


EXCEPTIONS = {
    "neither judged nor learned": (None, True, False),
    "like the day it is": ("Tuesday", False, True),
    "like a Sunday": ("Sunday", False, False),
}


@pytest.mark.parametrize(("like", "unknown", "unhealthy"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_a_holiday_is_like_another_day(
    like: detectors.Weekday | None, unknown: bool, unhealthy: bool
) -> None:
    """Idle on a Tuesday is an anomaly, unless it is known to be a holiday."""
    hours = np.arange(58 * 24)
    busy = (hours // 24 % 7 < 5) & (hours % 24 >= 8)
    busy[-24:] = False
    values = np.random.default_rng(4).normal(50.0, 1.0, len(hours)) + 100.0 * busy
    last = datetime.date(2026, 1, 5) + datetime.timedelta(days=57)
    day = detectors.ExceptionalDays(date=last, like=like)
    moments = START + hours * 3600.0
    ticks = baseline.run(baseline.Params(exceptions=(day,)), moments, values[:, None])[-24:]
    assert unknown == column(ticks, "unknown").all()
    assert unhealthy == column(ticks, "unhealthy").any()


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**16), cut=st.floats(0.3, 0.9))
def test_a_prefix_gives_the_same_scores_as_the_whole(seed: int, cut: float) -> None:
    """Nothing looks ahead."""
    values = np.abs(np.random.default_rng(seed).standard_t(2, 3 * DAY))
    part = round(len(values) * cut)
    whole, prefix = (column(run(some), "score") for some in (values, values[:part]))
    np.testing.assert_array_equal(whole[:part], prefix)


@settings(max_examples=3, deadline=None)
@given(
    factor=st.sampled_from([1e-6, 0.01, 3.0, 1e9]),
    shift=st.sampled_from([-1e3, 0.0, 10.0]),
    seed=st.integers(0, 100),
)
def test_scale_and_shift_change_nothing(factor: float, shift: float, seed: int) -> None:
    """Bytes, seconds and ratios are judged alike."""
    values = noise(2.5, seed)
    values[at(2, 6)] += 20.0
    changed = run((values + shift) * factor)
    plain = run(values)
    np.testing.assert_allclose(column(plain, "score"), column(changed, "score"), atol=0.15)
    assert column(plain, "unhealthy")[at(2, 6)]
    assert column(changed, "unhealthy")[at(2, 6)]


def test_series_side_by_side_are_judged_as_alone() -> None:
    """The batch is the same code on more rows; neighbours do not matter."""
    values = np.stack([noise(2.5, seed) * 10.0**seed for seed in range(3)], axis=1)
    values[at(2, 5), 1] *= 3
    both = baseline.run(DEFAULT, times(2.5), values)
    for series in range(3):
        alone = column(run(values[:, series]), "score")
        np.testing.assert_allclose(alone, [tick.score[series] for tick in both], rtol=1e-9)


@pytest.mark.parametrize("missing", [1, 2 * HOUR, DAY], ids=["a sample", "2 h", "a day"])
def test_a_series_that_begins_later_is_judged_as_if_alone(missing: int) -> None:
    """Ticks before the first sample teach nothing: not even that the value was 0."""
    values = noise(4, size=0.01)
    values[at(3, 12) :] += 0.1
    late = np.concatenate((np.full(missing, np.nan), values))
    alone = baseline.run(
        DEFAULT, START + STEP * (np.arange(len(values)) + missing), values[:, None]
    )
    beside = run(late)[missing:]
    for name in ("score", "expected", "lower", "upper"):
        np.testing.assert_array_equal(column(alone, name), column(beside, name))
    assert column(beside, "unhealthy")[at(3, 12)]


def test_before_the_minimum_history_it_is_unknown() -> None:
    """Learning is Unknown, whatever the value; the message says so."""
    values = noise(3)
    values[at(0, 5)] = 1e6
    ticks = run(values)
    learning = column(ticks, "learning")
    assert np.count_nonzero(learning) == at(0, 6)
    assert learning[: at(0, 6)].all()
    assert not column(ticks, "unhealthy")[: at(0, 6)].any()
    judgement = ticks[at(0, 5)].judgement(0, 1e6)
    assert (judgement.verdict, judgement.reason) == (model.Verdict.UNKNOWN, "Learning")


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_a_gap_is_unknown_and_nothing_is_forgotten(gap: float) -> None:
    """Half a day without data, then the same judgement as before."""
    values = nightly(9)
    values[at(7) : at(7, 12)] = gap
    values[at(8, 12)] = 90.0
    ticks = run(values)
    assert column(ticks, "unknown")[at(7) : at(7, 12)].all()
    assert not column(ticks, "unhealthy")[at(7) : at(8, 12)].any()
    assert column(ticks, "unhealthy")[at(8, 12)]


def test_an_anomaly_lasts_until_it_recovers_and_is_not_learned() -> None:
    """Twelve hours at another value stay Unhealthy, and the band stays where it was."""
    values = noise(8)
    values[at(6) : at(6, 12)] += 30.0
    ticks = run(values)
    unhealthy = column(ticks, "unhealthy")
    assert unhealthy[at(6) : at(6, 12)].all()
    assert not unhealthy[at(6, 14) :].any()
    assert column(ticks, "expected")[at(6, 11)] == pytest.approx(50.0, abs=2.0)


def test_the_same_anomaly_is_reported_once() -> None:
    """One onset at the trigger or above, at the first sample, while it lasts and returns."""
    values = noise(8)
    values[at(6) : at(6, 12)] += 30.0
    onset = column(run(values), "onset")[at(5) :]
    assert [at(1)] == list(np.flatnonzero(onset >= DEFAULT.trigger))


def test_a_level_shift_is_reported_once_and_then_learned() -> None:
    """After `adapt` the new level is normal, and a return to the old one is news."""
    values = noise(14)
    values[at(6) : at(12)] += 30.0
    ticks = run(values)
    onset, unhealthy = column(ticks, "onset"), column(ticks, "unhealthy")
    assert [at(1)] == list(np.flatnonzero(onset[at(5) : at(12)] >= DEFAULT.trigger))
    assert at(7) == pytest.approx(int(np.flatnonzero(column(ticks, "shifted"))[0]), abs=1)
    assert not unhealthy[at(7, 1) : at(12)].any()
    assert column(ticks, "expected")[at(8)] == pytest.approx(80.0, abs=3.0)
    assert unhealthy[at(12)]


def test_recovery_has_its_own_level() -> None:
    """Between recovery and trigger an anomaly goes on, but none begins."""
    values = noise(8)
    values[at(4)] += 30.0
    values[at(4) + 1 : at(4, 1)] += 3.0
    calm = noise(8)
    calm[at(4) + 1 : at(4, 1)] += 3.0
    assert column(run(values), "unhealthy")[at(4) : at(4, 1)].all()
    assert not column(run(calm), "unhealthy")[at(4)]


DIRECTIONS = {
    "above sees a surge": (detectors.Side.ABOVE, 30.0, True),
    "above ignores a drop": (detectors.Side.ABOVE, -30.0, False),
    "below sees a drop": (detectors.Side.BELOW, -30.0, True),
    "below ignores a surge": (detectors.Side.BELOW, 30.0, False),
    "both sees a surge": (detectors.Side.BOTH, 30.0, True),
    "both sees a drop": (detectors.Side.BOTH, -30.0, True),
}


@pytest.mark.parametrize(("direction", "by", "seen"), DIRECTIONS.values(), ids=DIRECTIONS)
def test_only_the_bad_side_counts(direction: detectors.Side, by: float, seen: bool) -> None:
    """The direction decides which side of the band is Unhealthy."""
    values = noise(4)
    values[at(3) : at(3, 1)] += by
    unhealthy = column(run(values, baseline.Params(direction=direction)), "unhealthy")
    assert seen == unhealthy[at(3) : at(3, 1)].any()


def test_a_surge_that_the_given_series_explains_is_usual() -> None:
    """CPU follows traffic: ten times the traffic explains the CPU, the CPU alone does not."""
    rng = np.random.default_rng(3)
    hour = np.arange(8 * DAY) / HOUR
    traffic = 100.0 + 40.0 * np.sin(hour * np.pi / 12.0) + rng.normal(0, 5, len(hour))
    traffic[at(7, 6) : at(7, 7)] *= 3.0
    cpu = 0.5 * traffic + rng.normal(0, 1, len(hour))
    cpu[at(7, 18) : at(7, 19)] += 40.0
    surge, fault = slice(at(7, 6), at(7, 7)), slice(at(7, 18), at(7, 19))
    alone, informed = (column(run(cpu, beside=g), "unhealthy") for g in (None, traffic))
    assert alone[surge].any()
    assert not informed[surge].any()
    assert informed[fault].all()


@pytest.mark.parametrize("step", [15, 60, 300, 3600])
def test_noise_alone_triggers_rarely_at_any_interval(step: int) -> None:
    """The rarity is one per 5 minutes or slower, so scraping more often alarms no more."""
    count = min(round(20 * 86400 / step), 3000)
    learn = types.duration("6h")
    values = np.random.default_rng(1).normal(0.0, 1.0, (count, 64))
    moments = START + np.arange(count) * float(step)
    ticks = baseline.run(baseline.Params(learn=learn), moments, values)
    onsets = sum(int((tick.onset >= DEFAULT.trigger).sum()) for tick in ticks)
    weeks = 64 * count * step / (7 * 86400)
    assert onsets / weeks <= 2.0


def test_a_constant_series_is_never_unusual_and_its_first_change_is() -> None:
    """No noise at all is no division by zero."""
    values = np.full(5 * DAY, 7.0)
    values[at(4)] = 8.0
    unhealthy = column(run(values), "unhealthy")
    assert not unhealthy[: at(4)].any()
    assert unhealthy[at(4)]


def test_the_message_holds_the_value_the_band_and_the_rarity() -> None:
    """A judgement names what it compared."""
    values = noise(5)
    values[at(4)] = 90.0
    tick = run(values)[at(4)]
    judgement = tick.judgement(0, 90.0)
    assert judgement.verdict is model.Verdict.UNHEALTHY
    assert judgement.message.startswith(f"90, usual {tick.lower[0]:.6g} to {tick.upper[0]:.6g}")
    assert tick.lower[0] < 50.0 < tick.upper[0] < 90.0


REFUSED = {
    "recovery above the trigger": ({"trigger": 2.0, "recover": 2.5}, "must be less than trigger"),
    "an unknown zone": ({"timeZone": "Mars/Olympus"}, "is no time zone"),
    "a field that is none": ({"sensitivty": 3}, "Extra inputs"),
}


@pytest.mark.parametrize(("fields", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_parameters_are_refused(fields: dict[str, object], message: str) -> None:
    """The error says what is wrong."""
    with pytest.raises(pydantic.ValidationError, match=message):
        baseline.Params.model_validate(fields)


def test_the_end_of_an_incident_that_is_too_common_is_not_a_shift() -> None:
    """What comes again and again is learned; when it ends, the target is not sick for a day."""
    chance = np.random.default_rng(1)
    moments = np.arange(0.0, 14 * 86_400, 300.0)
    values = 50 + chance.normal(0, 1, len(moments))
    high = np.zeros(len(moments), dtype=bool)
    for start in chance.integers(640, 13 * 288, 8):
        high[start : start + 24] = True
    values[high] += 8.0
    unhealthy = column(baseline.run(DEFAULT, moments, values[:, None]), "unhealthy").astype(bool)
    assert unhealthy[high].any()
    assert (unhealthy & ~high).sum() < high.sum()


def unhealthy(values: np.ndarray, params: baseline.Params = DEFAULT) -> np.ndarray:
    """The verdicts on one series."""
    return column(run(values, params), "unhealthy").astype(bool)


RETURNS = {
    "an hour at thirty noises": (at(9, 9), at(9, 10), np.ones(HOUR)),
    "a slow fall over a day": (at(9, 9), at(10, 9), -np.linspace(0.0, 1.0, DAY)),
    "a day and a half": (at(9, 9), at(10, 21), np.ones(DAY + 12 * HOUR)),
}


@pytest.mark.parametrize(("first", "last", "shape"), RETURNS.values(), ids=RETURNS)
def test_what_is_back_at_normal_is_healthy_a_quarter_of_an_hour_later(
    first: int, last: int, shape: np.ndarray
) -> None:
    """However it left, and although the level may have followed it."""
    values = noise(13)
    values[first:last] += 30.0 * shape
    sick = unhealthy(values)
    assert sick[first:last].any()
    assert not sick[last + 3 : last + DAY].any()


def test_an_incident_that_comes_again_is_found_each_time() -> None:
    """What was an anomaly does not become the yardstick: ten times in 16 days, at other hours."""
    values = noise(28)
    begins = [at(10 + 1.6 * number, 5) for number in range(10)]
    for begin in begins:
        values[begin : begin + HOUR] += 30.0
    sick = unhealthy(values)
    assert [True] * 10 == [sick[begin : begin + HOUR].any() for begin in begins]


HABITS = {"each day": (1, 3), "each week": (7, 3)}


@pytest.mark.parametrize(("period", "known"), HABITS.values(), ids=HABITS)
def test_what_comes_for_the_third_time_at_its_hour_is_a_habit(period: int, known: int) -> None:
    """The first time it is an anomaly; after two it is what the series does, but not at noon."""
    values = noise(42)
    begins = [at(15 + period * number, 3) for number in range(known + 1)]
    for begin in begins:
        values[begin : begin + HOUR] += 30.0
    values[at(41, 12) : at(41, 13)] += 30.0
    sick = unhealthy(values)
    found = [bool(sick[begin : begin + 2 * HOUR].any()) for begin in begins]
    assert (True, False) == (found[0], any(found[2:]))
    assert sick[at(41, 12) : at(41, 13)].all()


def test_a_series_of_zeros_with_a_few_now_and_then_is_usual() -> None:
    """About three errors a day: the first ones are news, the fiftieth is not."""
    chance = np.random.default_rng(2)
    values = (chance.random(28 * DAY) < 0.01) * chance.integers(1, 3, 28 * DAY) * 1.0
    assert not unhealthy(values)[at(7) :].any()


WEEKENDS = {"half of a weekday": (0.55, False), "hardly anything": (0.1, True)}


@pytest.mark.parametrize(("share", "seen"), WEEKENDS.values(), ids=WEEKENDS)
def test_the_first_weekend_may_be_lower(share: float, seen: bool) -> None:
    """Before a weekend was ever seen, nobody knows how low it is; nearly nothing is a fault."""
    values = noise(7, size=3.0)
    values[at(5) :] *= share
    assert seen == unhealthy(values)[at(5) :].any()


def test_the_message_says_who_spoke() -> None:
    """By the level at first, by the hour once that predicts better, by the week after two."""
    days = np.arange(29 * DAY) / DAY
    wave = 10.0 * np.sin(2 * np.pi * days) - 20.0 * (days % 7 >= 5)
    ticks = run(noise(29) + wave)
    spoken = [ticks[at(day, 13)].judgement(0, 50.0).message for day in (-0.2, 4, 28)]
    expected = ("by level alone", "by the hour of the day", "by the hour of the week")
    assert [True] * 3 == [name in said for name, said in zip(expected, spoken, strict=True)]


LOADS = {"five minutes late": 1, "at once": 0}


@pytest.mark.parametrize("late", LOADS.values(), ids=LOADS)
def test_a_load_that_was_never_seen_explains_what_it_may(late: int) -> None:
    """Latency grows faster than the traffic; beyond all traffic seen, no line can tell how."""
    rng = np.random.default_rng(8)
    load = 1.0 + 0.3 * np.sin(np.arange(12 * DAY) * 2 * np.pi / DAY)
    load += rng.normal(0, 0.02, 12 * DAY)
    load[at(10, 6) : at(10, 8)] *= 2.2
    values = 10.0 / np.maximum(1.0 - np.roll(load, late) / 4.0, 0.05)
    values *= rng.lognormal(0.0, 0.03, len(values))
    values[at(11, 6) : at(11, 7)] *= 2.0
    sick = column(run(values, beside=load), "unhealthy").astype(bool)
    # Longer than `for: 10m` asks for.
    acts = sick[2:] & sick[1:-1] & sick[:-2]
    assert not acts[at(10, 6) : at(10, 9)].any()
    assert sick[at(11, 6) : at(11, 7)].any()


def test_parts_can_be_left_out_and_unknown_ones_are_refused() -> None:
    """So that a benchmark can tell what each is worth."""
    assert baseline.Baseline(DEFAULT, 1, baseline.PARTS)
    with pytest.raises(ValueError, match="no part of the score: mood"):
        baseline.Baseline(DEFAULT, 1, ["mood"])
