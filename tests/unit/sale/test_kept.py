"""Old sales are forgotten, the latest stay."""

from pathlib import Path

from tools.sale.kept import forget_old_sales


def test_the_latest_sales_stay(tmp_path: Path) -> None:
    names = [f"sale-2026112{day}-120000-abcdef" for day in range(5)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "verdict.json").write_text("{}")
    running = tmp_path / "sale-20200101-000000-running"
    running.mkdir()
    assert forget_old_sales(tmp_path, 2) == names[:3]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[3:], running.name])
    assert forget_old_sales(tmp_path, 2) == []
