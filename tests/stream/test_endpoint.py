import base64

import pytest

from stream.endpoint import Endpoint, check_endpoints, new_secret
from stream.errors import SettingsError

SECRET = new_secret()


def endpoint(name: str = "e1", url: str = "https://alerts.example/in", **more: object) -> Endpoint:
    return Endpoint(name=name, url=url, **({"secrets": (SECRET,)} | more))  # type: ignore[arg-type]  # each test varies one


@pytest.mark.parametrize(
    "url", ["", "alerts.example", "ftp://a.example/", "http://", "http://a:x/"]
)
def test_endpoint_is_refused_when_its_address_is_none(url: str) -> None:
    with pytest.raises(SettingsError, match="needs an http:// or https:// address"):
        endpoint(url=url)


def test_endpoint_is_refused_when_its_address_holds_a_password() -> None:
    with pytest.raises(SettingsError, match="holds a user or password"):
        endpoint(url="https://me:secret@alerts.example/")


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://[fe80::1]/"])
def test_endpoint_is_refused_at_once_when_its_address_is_never_permitted(url: str) -> None:
    with pytest.raises(SettingsError, match="never permitted"):
        endpoint(url=url, allow_private=True)


def test_private_endpoint_needs_the_setting() -> None:
    with pytest.raises(SettingsError, match="allow_private"):
        endpoint(url="http://127.0.0.1:9/")
    assert endpoint(url="http://127.0.0.1:9/", allow_private=True).allow_private


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hunter2",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_###",
    ],
)
def test_endpoint_is_refused_without_showing_the_secret_when_that_is_none(secret: str) -> None:
    with pytest.raises(SettingsError, match="24 to 64 bytes") as refused:
        endpoint(secrets=(SECRET, secret))
    assert not secret or secret not in str(refused.value)


def test_endpoint_is_refused_when_it_has_no_secret() -> None:
    with pytest.raises(SettingsError, match="at least one signing secret"):
        endpoint(secrets=())


def test_endpoint_wants_its_priority_and_above() -> None:
    medium = endpoint(min_priority="medium")
    assert [medium.wants(p) for p in ("high", "medium", "low")] == [True, True, False]


def test_endpoints_are_refused_when_they_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match="no webhook endpoint"):
        check_endpoints([])
    with pytest.raises(SettingsError, match="a name of its own, got e1, e1"):
        check_endpoints([endpoint(), endpoint()])
    for fallback in ("e2", "e1"):
        with pytest.raises(SettingsError, match="must be another endpoint"):
            check_endpoints([endpoint(fallback=fallback)])
    both = [endpoint(fallback="e2"), endpoint("e2", escalations_only=True)]
    assert list(check_endpoints(both)) == ["e1", "e2"]
