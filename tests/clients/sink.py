"""An http endpoint for subscription filters: keeps every request, fails when told to."""
import http.server
import threading


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body


class Sink:
    def __init__(self):
        self.requests, self.refused = [], []
        self.failures = 0
        self.lock = threading.Lock()
        self._listen(0)

    def _listen(self, port):
        keeper = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else a delivery takes 40 ms

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with keeper.lock:
                    fails = keeper.failures > 0
                    if fails:
                        keeper.failures -= 1
                    (keeper.refused if fails else keeper.requests).append(Request(self.path, self.headers, body))
                self.send_response(503 if fails else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = self.base + "/in"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def stop_listening(self):
        self.__exit__()
        self.server = None

    def listen_again(self):
        self._listen(self.port)
        self.__enter__()

    def fail_next(self, n):
        with self.lock:
            self.failures = n

    def taken(self):
        with self.lock:
            return [r.body for r in self.requests]
