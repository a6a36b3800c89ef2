"""Identities: the same everywhere for one seed, different for another, and truly described."""

import dataclasses
import hashlib

import pytest

from model.synthetic import Identity
from model.synthetic.identity import BODIES, Mark


def test_seed_gives_the_same_vehicle_on_every_machine() -> None:
    known = "".join(repr(Identity.sample(seed)) for seed in range(200))
    assert (
        hashlib.sha256(known.encode()).hexdigest() == "9dc2f90ce531dc76f83728a001534673ea1aa129550874f76e28eb8fdbcf0057"
    )


def test_vehicles_differ_in_more_than_their_seed() -> None:
    drawn = {repr(dataclasses.replace(Identity.sample(seed), seed=0)) for seed in range(500)}
    assert len(drawn) == 500


def test_vehicles_of_one_type_and_colour_still_differ() -> None:
    white = [one for one in (Identity.sample(seed, "sedan") for seed in range(200)) if one.paint.name == "white"]
    assert len(white) > 20
    assert len({(one.shape, one.wheels, one.extras, one.lamps) for one in white}) == len(white)


def test_all_body_types_are_drawn() -> None:
    assert {Identity.sample(seed).body for seed in range(300)} == set(BODIES)


@pytest.mark.parametrize("body", BODIES)
def test_body_can_be_named(body: str) -> None:
    identity = Identity.sample(11, body)
    assert identity.body == body
    assert (identity.rider is not None) == (body == "motorcycle")


def test_description_names_what_is_there() -> None:
    van = dataclasses.replace(
        Identity.sample(0, "van"),
        paint=dataclasses.replace(Identity.sample(0).paint, name="white", second_name=None, layout="none"),
        extras=("roof_rack", "tinted"),
        lettering="",
        marks=(Mark("dent", "left", 0.5, 0.4, 0.3, (0, 0, 0)),),
    )
    assert van.describe() == "a white van with a roof rack and a dent"
    plain = dataclasses.replace(van, extras=(), marks=())
    assert plain.describe() == "a white van"
    striped = dataclasses.replace(plain, paint=dataclasses.replace(plain.paint, second_name="red", layout="stripe"))
    assert striped.describe() == "a white van with a red stripe"
    orange = dataclasses.replace(plain, paint=dataclasses.replace(plain.paint, name="orange"), lettering="METRO")
    assert orange.describe() == "an orange van with lettering on its sides"


@pytest.mark.parametrize("seed", range(0, 120, 7))
def test_description_agrees_with_the_parameters(seed: int) -> None:
    identity = Identity.sample(seed)
    words = identity.describe()
    assert identity.paint.name in words
    assert ("roof rack" in words) == ("roof_rack" in identity.extras)
    assert ("lettering" in words) == bool(identity.lettering)
    assert ("load" in words or "parcel" in words) == bool(identity.load)
    assert ("dent" in words) == any(mark.kind == "dent" for mark in identity.marks)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="seed must be 0 or more, not -1"):
        Identity.sample(-1)
    with pytest.raises(ValueError, match=r"body must be one of sedan, .*not 'tank'"):
        Identity.sample(0, "tank")  # type: ignore[arg-type]
