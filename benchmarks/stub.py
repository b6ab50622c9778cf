"""Stub server that is not the bottleneck: nginx on a core of its own, with one prepared JSON response to every POST."""

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESPONSE: dict[str, Any] = {
    "flowId": "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04",
    "status": "InProgress",
    "type": "Viber",
    "flow": [
        {
            "type": "ViberOtp",
            "order": 1,
            "to": "+306912345678",
            "ttl": 60,
            "senderInfoTrackingId": "aaaaaaaa-0000-4000-8000-000000000001",
            "templateId": "0aac888f-2ee2-4112-9659-1755a951966a",
            "pin": "847291",
            "trackingId": "7c1cf7a6-6f9b-43a6-9a14-4b8b0f6f5e11",
        },
        {"type": "Sms", "order": 2, "to": "+306912345678", "ttl": 180, "message": {"body": "Your code is 847291"}},
    ],
    "createdAt": "2026-01-01T10:00:00.123Z",
}
TOKEN = {"access_token": "11111111-2222-4333-8444-555555555555", "token_type": "bearer", "expires_in": 3599}

CONFIG = """
daemon off;
worker_processes 1;
worker_cpu_affinity {affinity};
pid {folder}/pid;
error_log {folder}/error.log;
worker_rlimit_nofile 32768;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 120s;
    default_type application/json;
    client_body_temp_path {folder}/body;
    server {{
        listen 127.0.0.1:{port} backlog=4096{tls};
        location /oauth/token {{ return 200 '{token}'; }}
        location / {{ return 200 '{response}'; }}
    }}
}}
"""


TLS = " ssl;\n        ssl_certificate {file};\n        ssl_certificate_key {file}"


def make_certificate(file: Path) -> ssl.SSLContext:
    """Write key and certificate of a server on this machine to a file, and return a context that trusts it."""
    import trustme

    authority, context = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    return context


@contextlib.contextmanager
def run_nginx(core: int = 1, certificate: Path | None = None) -> Iterator[str]:
    """Run the server on one core, over TLS if there is a certificate, and yield its URL."""
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        raise SystemExit("this benchmark needs nginx (Debian: apt-get install nginx-light)")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nginx.conf"
        texts = {"token": json.dumps(TOKEN), "response": json.dumps(RESPONSE, separators=(",", ":"))}
        tls = "" if certificate is None else TLS.format(file=certificate)
        path.write_text(CONFIG.format(folder=folder, port=port, affinity=format(1 << core, "b"), tls=tls, **texts))
        process = subprocess.Popen([nginx, "-c", str(path), "-p", folder], stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("nginx did not start")
