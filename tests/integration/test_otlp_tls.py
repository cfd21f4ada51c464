"""A collector behind TLS gets traces and metrics where its authority is the one that is trusted, else nothing."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from tests.acceptance.collector import Collector, collecting

from devstack.kafka_security import Authority
from zerotouch_platform.meters import otlp_reader
from zerotouch_platform.telemetry import set_up

CERTIFICATE = "OTEL_EXPORTER_OTLP_CERTIFICATE"
"""OpenTelemetry's own: the file of the authority that both exporters trust in place of the system's."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def collector(authority: Authority) -> Iterator[Collector]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.certificate("collector"))
    with collecting(context) as collector:
        yield collector


def export(endpoint: str) -> None:
    """One span and one gauge, by the exporters that both services have; returns when they have been given up, too."""
    traces = set_up("test", {"service.name": "tool-sync"}, endpoint)
    with traces.tracer.start_as_current_span("sync org"):
        pass
    assert traces.provider is not None
    traces.provider.shutdown()
    metrics = MeterProvider([otlp_reader(endpoint)])
    metrics.get_meter("test").create_gauge("waiting").set(3)
    metrics.shutdown(timeout_millis=5_000)


@pytest.mark.parametrize("bundle", [None, "another"])
def test_a_collector_whose_authority_is_trusted_gets_traces_and_metrics(
    bundle: str | None, authority: Authority, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CERTIFICATE, str(authority.ca_file))
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if bundle is not None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Authority(tmp_path / bundle).ca_file))
    export(collector.endpoint)
    assert [span.name for span in collector.spans()] == ["sync org"]
    assert list(collector.gauges().values()) == [3]


@pytest.mark.parametrize("trusted", ["another authority", "the system's"])
def test_a_collector_of_another_authority_gets_nothing_and_the_log_says_why(
    trusted: str,
    authority: Authority,
    collector: Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if trusted == "another authority":
        monkeypatch.setenv(CERTIFICATE, str(Authority(tmp_path / "another").ca_file))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))  # and this one must not help
    export(collector.endpoint)
    assert not collector.spans()
    assert not collector.gauges()
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_a_name_that_is_not_the_collector_s_gets_nothing(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(CERTIFICATE, str(authority.ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.certificate("collector", host="127.0.0.2"))
    with collecting(context) as elsewhere:
        export(elsewhere.endpoint)
        assert not elsewhere.spans()
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
