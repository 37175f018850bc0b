"""Docker's health check of a bridge container: asks /healthz. The standard library alone, since it runs often."""

import http.client
import json
import os
import sys


def main() -> int:
    """0 where the replica is alive, 1 where it is not."""
    port = json.loads(os.environ.get("BRIDGE_CONFIG") or "{}").get("healthPort", 8080)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        print(answer.read(200).decode().strip())
    except OSError as error:
        print(f"no answer on port {port}: {error}")
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
