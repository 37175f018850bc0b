"""Starts one replica from BRIDGE_CONFIG, and ends it within ten seconds of SIGTERM."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading

from loguru import logger
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from kafka_bridge.config import CONFIG_VARIABLE, BridgeConfig
from kafka_bridge.metrics import LatencyHistogram, StatusCollector
from kafka_bridge.serving import serve
from kafka_bridge.supervisor import Supervisor
from kafka_bridge.web import build_app

CONFIG_EXIT_CODE = 2
LOG_FORMAT = (
    "<green>{time:YYYY-MM-DDTHH:mm:ss.SSSZ}</green> <level>{level: <8}</level> "
    "bridge={extra[bridge]} ordinal={extra[ordinal]} lane={extra[lane]} transaction={extra[transaction]} {message}"
)


def read_config(text: str | None) -> BridgeConfig:
    """The configuration, or SystemExit with every mistake: field, what was found, what was expected."""
    if not text:
        print(f"{CONFIG_VARIABLE} is not set; expected the bridge's configuration as JSON", file=sys.stderr)
        raise SystemExit(CONFIG_EXIT_CODE)
    try:
        return BridgeConfig.model_validate_json(text)
    except ValidationError as error:
        for mistake in error.errors():
            where = ".".join(str(part) for part in mistake["loc"]) or "(whole)"
            print(f"{CONFIG_VARIABLE}: {where}: found {mistake['input']!r}: {mistake['msg']}", file=sys.stderr)
        raise SystemExit(CONFIG_EXIT_CODE) from error


def main() -> int:
    # Where librdkafka takes the process down, the log says in which call.
    faulthandler.enable()
    config = read_config(os.environ.get(CONFIG_VARIABLE))
    logger.remove()
    logger.configure(extra={"bridge": config.bridge, "ordinal": config.ordinal, "lane": "-", "transaction": "-"})
    logger.add(sys.stderr, level=config.logLevel, format=LOG_FORMAT, backtrace=False, diagnose=False)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    registry = CollectorRegistry()
    latency = LatencyHistogram()
    supervisor = Supervisor(config, latency)
    registry.register(latency)
    registry.register(StatusCollector(supervisor.status))
    endServing = serve(build_app(supervisor.status, supervisor.is_alive, registry), "0.0.0.0", config.healthPort)
    supervisor.start()
    logger.info("started: {} lanes, replica {} of {}", config.lanes, config.ordinal, config.replicas)
    ended.wait()

    logger.info("ending")
    finished = supervisor.stop()
    endServing()
    logger.info("ended{}", "" if finished else "; a lane was left to be settled at the next start")
    logger.complete()
    # librdkafka's threads may still wait for a cluster that is away; nothing of theirs is wanted any more.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
