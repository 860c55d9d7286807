"""Settings: where they come from, and what is said about a wrong one."""

import base64
import re
from pathlib import Path

import pytest

from stream import settings
from stream.errors import SettingsError
from stream.topics import TOPICS, WAVEFORMS

SECRET = "whsec_" + "QUJD" * 8
EXAMPLE = Path(__file__).parents[2] / "rhythmwatch.example.toml"


@pytest.fixture(autouse=True)
def _only_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start every test without settings, whatever the person who runs it has set."""
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)
    monkeypatch.delenv("RHYTHMWATCH_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)


def written(folder: Path, text: str) -> Path:
    path = folder / "rhythmwatch.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_when_nothing_is_set() -> None:
    loaded = settings.load()
    assert loaded.bootstrap == "127.0.0.1:9092"
    assert loaded.dashboard_host == "127.0.0.1"
    assert loaded.all_endpoints() == ()


def test_example_file_shows_the_defaults() -> None:
    assert settings.load(EXAMPLE) == settings.load()


def test_example_file_lists_every_setting() -> None:
    listed = set(re.findall(r"^(?:# )?\[*(\w+)(?: =|\])", EXAMPLE.read_text(), flags=re.MULTILINE))
    assert listed >= {*settings.Settings.model_fields, *settings.EndpointSettings.model_fields}


def test_file_is_found_in_the_working_directory(tmp_path: Path) -> None:
    written(tmp_path, "partitions = 3")
    assert settings.load().partitions == 3


def test_file_is_found_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "elsewhere.toml"
    other.write_text("partitions = 5", encoding="utf-8")
    monkeypatch.setenv("RHYTHMWATCH_SETTINGS", str(other))
    assert settings.load().partitions == 5


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHYTHMWATCH_PARTITIONS", "7")
    loaded = settings.load(written(tmp_path, 'partitions = 3\ndevice = "cpu"'))
    assert (loaded.partitions, loaded.device) == (7, "cpu")


def test_endpoints_are_read_from_the_file_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHYTHMWATCH_WEBHOOK_URL", "http://localhost:9000/hook")
    monkeypatch.setenv("RHYTHMWATCH_WEBHOOK_SECRET", SECRET)
    text = f"""
    [[endpoints]]
    name = "pager"
    url = "https://pager.example.org/hook"
    secrets = ["{SECRET}", "{SECRET}"]
    min_priority = "high"
    fallback = "webhook"
    """
    pager, single = settings.load(written(tmp_path, text)).all_endpoints()
    assert (pager.name, pager.min_priority, len(pager.secrets)) == ("pager", "high", 2)
    assert (single.name, single.url) == ("webhook", "http://localhost:9000/hook")
    assert single.secrets[0].get_secret_value() == SECRET


def test_secrets_are_not_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHYTHMWATCH_WEBHOOK_URL", "http://localhost:9000/hook")
    monkeypatch.setenv("RHYTHMWATCH_WEBHOOK_SECRET", SECRET)
    assert SECRET not in repr(settings.load())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('device = "tpu"', ["device = 'tpu'", "auto, cpu or cuda"]),
        ("partitions = 0", ["partitions = 0", "1 to 1024"]),
        ("dashboard_port = 99999", ["dashboard_port = 99999", "a port, 1 to 65535"]),
        ('bootstrap = "broker"', ["bootstrap = 'broker'", "host:port"]),
        ('devise = "cpu"', ["devise", "did you mean device?"]),
        ("[retention_hours]\nfindings = -1", ["retention_hours.findings = -1", "more than 0"]),
        ('[[endpoints]]\nname = "a"', ["endpoints.0.url", "missing", "http:// or https://"]),
        ('[[endpoints]]\nurl = "ftp://a"', ["endpoints.0.url = 'ftp://a'", "http:// or https://"]),
        ('[[endpoints]]\nsecret = "a"', ["endpoints.0.secret", "did you mean secrets?"]),
        ("[retention_hours]\nfindings = inf", ["retention_hours.findings = inf", "876000"]),
        ('[[endpoints]]\nurl = "http://a:99999"', ["endpoints.0.url", "http:// or https://"]),
        ('data = "~nobody-of-this-name/ecg"', ["data = ", "home directory"]),
        ('webhook_url = "http://a"', ["webhook_url and webhook_secret must be set together"]),
    ],
)
def test_error_names_key_value_and_what_is_right(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(written(tmp_path, text))
    for words in said:
        assert words in str(caught.value)


def test_folders_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = settings.load(written(tmp_path, 'data = "~/ecg"\narchive = "~/archive"'))
    assert (loaded.data, loaded.archive) == (tmp_path / "ecg", tmp_path / "archive")


def test_all_wrong_settings_are_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHYTHMWATCH_BOOTSTRP", "localhost:9092")
    monkeypatch.setenv("RHYTHMWATCH_PARTITIONS", "many")
    with pytest.raises(SettingsError) as caught:
        settings.load(written(tmp_path, 'device = "tpu"'))
    message = str(caught.value)
    assert "3 settings cannot be used" in message
    assert "did you mean RHYTHMWATCH_BOOTSTRAP?" in message
    assert "(RHYTHMWATCH_PARTITIONS)" in message


def test_error_does_not_show_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(written(tmp_path, 'webhook_secret = "hush-hush"'))
    assert "hush-hush" not in str(caught.value)
    assert "whsec_" in str(caught.value)


@pytest.mark.parametrize("length", [23, 65])
def test_secret_of_a_wrong_length_is_refused(tmp_path: Path, length: int) -> None:
    secret = "whsec_" + base64.b64encode(bytes(length)).decode()
    text = f'webhook_url = "http://localhost:1"\nwebhook_secret = "{secret}"'
    with pytest.raises(SettingsError, match=f"{length} bytes"):
        settings.load(written(tmp_path, text))


def test_unreadable_file_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read"):
        settings.load(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match=r"rhythmwatch\.toml is not TOML"):
        settings.load(written(tmp_path, "device = cpu"))
    written(tmp_path, "")
    monkeypatch.setenv("RHYTHMWATCH_ENDPOINTS", "[{")
    with pytest.raises(SettingsError, match=r"endpoints.*JSON"):
        settings.load()


def test_retention_replaces_only_what_was_named(tmp_path: Path) -> None:
    loaded = settings.load(written(tmp_path, "[retention_hours]\nwaveforms = 0.5"))
    changed = {topic.name: topic for topic in loaded.retained(TOPICS)}
    assert changed["ecg.waveforms"].retention_ms == 1_800_000
    unchanged = [t for t in TOPICS if t != WAVEFORMS]
    assert all(changed[topic.name] == topic for topic in unchanged)
