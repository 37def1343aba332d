"""Serves this folder's files on a free port of 127.0.0.1, which it writes to the file `port`.

The first part of an address is no folder, but says how files come: /whole/NAME as they are; /once/NAME breaks off halfway the
first time, and goes on from there; /anew/NAME does too, but only the whole is to be had then; /always/NAME breaks off each time.
"""
import http.server
import os

asked = set()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, mode, name = self.path.split("/", 2)
        if not os.path.isfile(name):
            self.send_error(404)
            return
        content = open(name, "rb").read()
        wanted = self.headers["Range"]
        begin = int(wanted[len("bytes="):-1]) if wanted and mode != "anew" else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        cut = mode == "always" or (mode != "whole" and self.path not in asked)
        asked.add(self.path)
        self.wfile.write(content[begin:len(content) // 2] if cut else content[begin:])

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.part", "w") as out:
    print(server.server_port, file=out)
os.rename("port.part", "port")
server.serve_forever()
