"""What AWS's SDK raises leads to what is wrong: credentials, network, or the call."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)

from pipeline.errors import AwsError
from pipeline.sdk_errors import translated_errors

URL = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    "raised, advice",
    [
        (NoCredentialsError(), "Configure credentials"),
        (EndpointConnectionError(endpoint_url=URL), "names this machine"),
        (ConnectTimeoutError(endpoint_url=URL), "names this machine"),
        (ReadTimeoutError(endpoint_url=URL), "Check the network"),
        (NoRegionError(), "the region"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BotoCoreError) else "",
)
def test_the_advice_fits_what_failed(
    raised: BotoCoreError, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", URL)
    with pytest.raises(AwsError) as caught, translated_errors():
        raise raised
    assert advice in caught.value.hint
    assert ("Configure credentials" in caught.value.hint) is isinstance(raised, NoCredentialsError)
    assert str(raised) in caught.value.message
