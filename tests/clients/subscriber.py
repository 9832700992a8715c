"""An http endpoint that SNS delivers to: keeps every message, answers with the status it is told."""
import http.server
import json
import threading
import time


class Message:
    def __init__(self, headers, raw):
        self.headers, self.raw = headers, raw
        self.type = headers.get("x-amz-sns-message-type")
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = None


class Subscriber:
    def __init__(self):
        self.messages, self.status, self.delay = [], 200, 0.0  # seconds before it takes a message
        self.arrived = threading.Condition()
        keeper = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(keeper.delay)
                with keeper.arrived:
                    keeper.messages.append(Message(self.headers, raw))
                    status = keeper.status
                    keeper.arrived.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, wanted, seconds=20):
        """The first message that is wanted, now or within the time."""
        deadline = time.monotonic() + seconds
        with self.arrived:
            while True:
                for message in self.messages:
                    if wanted(message):
                        return message
                left = deadline - time.monotonic()
                assert left > 0, f"nothing of that kind came: {[m.type for m in self.messages]}"
                self.arrived.wait(left)

    def count(self, kind):
        with self.arrived:
            return sum(m.type == kind for m in self.messages)
