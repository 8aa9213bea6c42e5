"""What a house tells commands in other terminals."""

from pathlib import Path

import pytest

from services.local import house
from services.local.house import Servers, config_of, tell
from services.runtime.settings import Settings


@pytest.mark.parametrize("given", [None, "elsewhere"])
def test_commands_learn_which_configuration_the_house_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """Wherever they are called; what a house before has left is not believed by the next one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(house.CONFIG, raising=False)
    environment = {house.CONFIG: given} if given else {}
    file = tmp_path / "house.env"
    monkeypatch.setattr(house, "HOUSE_FILE", file)
    file.write_text("WHISTLE_CONFIG=/of/a/house/before\n", encoding="utf-8")
    tell(Servers("127.0.0.1:9092", "postgresql://", own=False, ports={}, config=config_of(environment)))
    learnt = Settings(_env_file=file).config
    assert learnt == (tmp_path / given if given else Path("deploy/config"))
