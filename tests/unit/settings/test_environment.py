"""The function's settings, from its environment."""

import pytest

from forebay.errors import ConfigurationError
from forebay.settings import LogLevel, ResponseMode, Settings, Stage, TelemetrySettings

MINIMUM = {
    "FOREBAY_STAGE": "production",
    "FOREBAY_CONFIG": "gateway.toml",
    "FOREBAY_KEYS_TABLE": "keys",
    "FOREBAY_LEDGER_TABLE": "ledger",
    "FOREBAY_BREAKERS_TABLE": "breakers",
    "FOREBAY_JOBS_TABLE": "jobs",
    "FOREBAY_LIMITS_TABLE": "limits",
    "FOREBAY_USAGE_TABLE": "usage",
    "AWS_REGION": "eu-central-1",
    "LAMBDA_TASK_ROOT": "/var/task",
}


def test_what_is_not_set_has_its_default() -> None:
    settings = Settings.from_env(MINIMUM)
    assert settings.stage is Stage.PRODUCTION
    assert settings.response_mode is ResponseMode.BUFFERED
    assert settings.telemetry == TelemetrySettings("Forebay", LogLevel.INFO)
    assert settings.stores.keys_table == "keys"
    assert settings.stores.ledger_table == "ledger"
    assert settings.stores.breakers_table == "breakers"
    assert settings.stores.jobs_table == "jobs"
    assert settings.stores.limits_table == "limits"
    assert settings.stores.usage_table == "usage"
    assert settings.stores.region == "eu-central-1"
    assert settings.stores.endpoint_url is None
    assert settings.vocabulary_dir is None
    assert settings.dev_key is None


def test_what_is_set_is_taken() -> None:
    settings = Settings.from_env(
        MINIMUM
        | {
            "FOREBAY_STAGE": "local",
            "FOREBAY_RESPONSE_MODE": "streaming",
            "FOREBAY_METRICS_NAMESPACE": "Mine",
            "FOREBAY_LOG_LEVEL": "DEBUG",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "TIKTOKEN_CACHE_DIR": "/opt/tiktoken",
            "FOREBAY_DEV_KEY": "fb-dev",
        }
    )
    assert settings.stage is Stage.LOCAL
    assert settings.response_mode is ResponseMode.STREAMING
    assert settings.telemetry == TelemetrySettings("Mine", LogLevel.DEBUG)
    assert settings.stores.endpoint_url == "http://127.0.0.1:4566"
    assert settings.vocabulary_dir == "/opt/tiktoken"
    assert settings.dev_key == "fb-dev"
    assert "fb-dev" not in repr(settings)


def test_relative_files_lie_below_the_task_root() -> None:
    settings = Settings.from_env(MINIMUM | {"FOREBAY_CONFIG": "gateway.toml:/tmp/local.toml:"})
    assert settings.config_paths == ("/var/task/gateway.toml", "/tmp/local.toml")  # noqa: S108  not opened


@pytest.mark.parametrize("unset", [None, "", "  "], ids=["absent", "empty", "blank"])
@pytest.mark.parametrize("name", [name for name in MINIMUM if name != "LAMBDA_TASK_ROOT"])
def test_a_missing_variable_is_named(name: str, unset: str | None) -> None:
    environ = {key: value for key, value in MINIMUM.items() if key != name}
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_env(environ if unset is None else environ | {name: unset})
    (fault,) = refused.value.faults
    assert fault.startswith(f"environment: {name}: expected ")
    assert fault.endswith("it is not set")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_env({"FOREBAY_STAGE": "test", "FOREBAY_LOG_LEVEL": "info"})
    assert refused.value.faults == (
        "environment: FOREBAY_STAGE: expected local or production; got 'test'",
        "environment: FOREBAY_CONFIG: expected a value; it is not set",
        "environment: FOREBAY_KEYS_TABLE: expected a value; it is not set",
        "environment: FOREBAY_LEDGER_TABLE: expected a value; it is not set",
        "environment: FOREBAY_BREAKERS_TABLE: expected a value; it is not set",
        "environment: FOREBAY_JOBS_TABLE: expected a value; it is not set",
        "environment: FOREBAY_LIMITS_TABLE: expected a value; it is not set",
        "environment: FOREBAY_USAGE_TABLE: expected a value; it is not set",
        "environment: AWS_REGION: expected a value; it is not set",
        "environment: FOREBAY_LOG_LEVEL: expected DEBUG or INFO or WARNING or ERROR; got 'info'",
    )


def test_a_fixed_key_in_production_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="FOREBAY_DEV_KEY") as refused:
        Settings.from_env(MINIMUM | {"FOREBAY_DEV_KEY": "fb-secret"})
    assert "fb-secret" not in refused.value.message
