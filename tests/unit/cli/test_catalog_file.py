"""Bad lines of a catalogue: each with its number and reason, and nothing imported."""

from pathlib import Path

import pytest

from tools.cli.catalog import CatalogFileError, read_products
from tools.cli.stack import DEMO_CATALOG

HEAD = "sku,name,price,currency,weight_grams,seller_id\n"
GOOD = "phone,A phone,499.00,EUR,450,s1\n"


def _read(folder: Path, text: str) -> str:
    file = folder / "goods.csv"
    file.write_text(text)
    with pytest.raises(CatalogFileError) as raised:
        read_products(file)
    return str(raised.value)


def test_every_bad_line_is_told(tmp_path: Path) -> None:
    told = _read(tmp_path, HEAD + GOOD + "a{b},X,1.00,EUR,1,s1\nlamp,Lamp,-1,EUR,1,s1\nmug,Mug,1.005,EUR,1,s1\n" + GOOD)
    assert "line 3: sku" in told
    assert "line 4: price" in told
    assert "line 5: price" in told
    assert "line 6: sku: stands in line 2 already" in told
    assert "line 2:" not in told


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    assert "no column weight_grams" in _read(tmp_path, "sku,name,price,currency,seller_id\n")


def test_an_empty_file_is_no_catalogue(tmp_path: Path) -> None:
    assert "no product" in _read(tmp_path, HEAD)


@pytest.mark.parametrize("cell", ["nan", "inf", "1e400", "", "1,5"])
def test_what_is_no_price_is_refused(tmp_path: Path, cell: str) -> None:
    assert "price" in _read(tmp_path, HEAD + f'phone,A phone,"{cell}",EUR,450,s1\n')


def test_the_demo_catalogue_is_good() -> None:
    assert "flash-phone" in [product.sku for product in read_products(DEMO_CATALOG)]
