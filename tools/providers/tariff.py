"""What the carrier asks: by zone, and by each kilogram begun."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """Minor units for the first kilogram and for each further one begun; the same figure in every currency."""

    first_minor: int
    further_minor: int


RATES = {
    "domestic": Rate(490, 60),
    "eu": Rate(990, 150),
    "europe": Rate(1490, 250),
    "world": Rate(2490, 600),
}

_COUNTRIES = {
    "domestic": "DE",
    "eu": "AT BE BG CY CZ DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK",
    "europe": "AD AL BA CH FO GB GI IS LI MC MD ME MK NO RS SM UA VA XK",
}
_ZONES = {country: zone for zone, countries in _COUNTRIES.items() for country in countries.split()}


def zone_of(country_code: str) -> str:
    """The zone of an ISO 3166-1 alpha-2 country; any that is not listed is "world"."""
    return _ZONES.get(country_code, "world")


def price_minor(zone: str, weight_grams: int) -> int:
    """Raises KeyError for an unknown zone, ValueError for a weight below one gram."""
    if weight_grams < 1:
        raise ValueError(f"weight {weight_grams} g: at least 1")
    kilograms = -(-weight_grams // 1000)
    rate = RATES[zone]
    return rate.first_minor + (kilograms - 1) * rate.further_minor
