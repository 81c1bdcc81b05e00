"""WebSocket servers for tests/tests/ws.rs, one path for each behaviour.

Prints NAME=VALUE lines for the scripts' environment, then `ready`; makes its certificates in the folder that it
is given.
Ends with its standard input.
"""

import asyncio, base64, hashlib, logging, os, ssl, subprocess, sys
from websockets.asyncio.server import serve

folder = sys.argv[1]
# That clients go away is what is tested.
logging.disable()


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, cwd=folder, capture_output=True)


def certificates():
    """A CA, a server's certificate and a client's."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=the test's CA", "-keyout", "ca.key", "-out", "ca.pem")
    for name, san in [("server", "subjectAltName=DNS:localhost,IP:127.0.0.1"), ("client", "subjectAltName=DNS:client")]:
        with open(f"{folder}/{name}.ext", "w") as ext:
            ext.write(san)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def respond(connection, request):
    path = request.path.split("?")[0]
    if path == "/refuses":
        response = connection.respond(401, "a token\nis missing\n")
        return response
    if path == "/redirects":
        response = connection.respond(302, "")
        response.headers["Location"] = "/elsewhere"
        return response


async def handler(connection):
    path = connection.request.path.split("?")[0]
    if path in ("/echo", "/"):
        async for message in connection:
            await connection.send(message)
    elif path == "/request":
        headers = connection.request.headers
        names = ["authorization", "user-agent", "x-list", "host", "sec-websocket-protocol"]
        await connection.send(connection.request.path)
        for name in names:
            await connection.send(", ".join(headers.get_all(name)) or "none")
    elif path == "/closes":
        code, reason = connection.request.path.split("?")[1].split(",")
        await connection.close(int(code), reason)
    elif path == "/closes-without-code":
        connection.transport.write(b"\x88\x00")
        await connection.wait_closed()
    elif path == "/sends-and-closes":
        for number in range(3):
            await connection.send(str(number))
        await connection.close(1000, "done")
    elif path == "/aborts":
        await connection.send("one")
        await connection.recv()
        connection.transport.abort()
    elif path == "/hangs-up":
        # The end of TCP without a closing handshake.
        await connection.send("one")
        connection.transport.close()
    elif path == "/fragments":
        await connection.send(["in ", "three ", "parts"])
        await connection.send([b"\x00", b"\xff" * 70000, b""])
        await connection.send("")
    elif path == "/large":
        size = int(connection.request.path.split("?")[1])
        await connection.send(b"\x01" * size)
        message = await connection.recv()
        await connection.send(hashlib.sha256(message).hexdigest())
    elif path == "/pings":
        # Answered while the script does anything but receive.
        for _ in range(5):
            await (await connection.ping())
        await connection.send("pongs came")
        await connection.recv()
    elif path == "/late":
        await connection.recv()
        await connection.send("late")
        await connection.recv()
    elif path == "/flood":
        # More than is read ahead, in one go.
        for number in range(3000):
            await connection.send(str(number) + " " * 10000)
    elif path == "/slow-reader":
        # Reads nothing until the script says that it has waited.
        connection.transport.pause_reading()
        await asyncio.to_thread(wait_for, f"{folder}/go")
        connection.transport.resume_reading()
        total = 0
        async for message in connection:
            if message == "end":
                break
            total += len(message)
        await connection.send(str(total))
    elif path == "/bad-text":
        connection.transport.write(b"\x81\x02\xff\xfe")
        await connection.wait_closed()
        note(f"{connection.close_code}")
    elif path == "/bad-frame":
        connection.transport.write(b"\xf1\x00")
        await connection.wait_closed()
        note(f"{connection.close_code}")
    elif path == "/notes":
        try:
            async for message in connection:
                note(message)
        finally:
            await connection.wait_closed()
            note(f"closed {connection.close_code} {connection.close_reason}")


def wait_for(path):
    import time
    while not os.path.exists(path):
        time.sleep(0.01)


def note(text):
    with open(f"{folder}/notes", "a") as notes:
        notes.write(text + "\n")


async def raw(reader, writer):
    """What is no WebSocket server, by the path that is asked for."""
    head = await reader.readuntil(b"\r\n\r\n")
    path = head.split(b" ")[1].decode()
    key = [line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")][0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    answers = {
        "/garbage": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "/nothing": b"",
        "/ok": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "/bad-accept": upgrade + b"Sec-WebSocket-Accept: xxx\r\n\r\n",
        "/extension": upgrade + b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n",
        "/protocol": upgrade + b"Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n",
        # The first message comes with the response.
        "/at-once": upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x81\x05hello\x88\x02\x03\xe8",
        "/never-closes": upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n",
        "/endless-head": b"HTTP/1.1 101 OK\r\n" + b"X-A: b\r\n" * 20000,
    }
    if path == "/silent":
        await reader.read()
    elif path == "/two-parts":
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"try later")
    else:
        writer.write(answers[path])
    if path == "/never-closes":
        await reader.read()
    try:
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except ConnectionError:
        pass


async def proxy(reader, writer):
    """CONNECT, for who has credentials; writes down what it was asked for."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    target = head.split(" ")[1]
    note("CONNECT " + target)
    if "Basic " + base64.b64encode(b"me:secret").decode() not in head:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        writer.close()
        return
    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", target.rsplit(":", 1)[1])
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async def copy(a, b):
        while data := await a.read(65536):
            b.write(data)
            await b.drain()
        b.close()

    await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))


async def main():
    certificates()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    strict.load_verify_locations(f"{folder}/ca.pem")
    strict.verify_mode = ssl.CERT_REQUIRED

    def one(**more):
        return serve(handler, "127.0.0.1", 0, process_request=respond, subprotocols=["v2", "v1"],
                     select_subprotocol=select, max_size=None, ping_interval=None, compression=None, **more)

    def port(server):
        return list(server.sockets)[0].getsockname()[1]

    async with one() as plain, one(ssl=tls) as secure, one(ssl=strict) as mutual:
        raw_server = await asyncio.start_server(raw, "127.0.0.1", 0)
        proxy_server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        tls_proxy = await asyncio.start_server(proxy, "127.0.0.1", 0, ssl=tls)
        print(f"WS=ws://127.0.0.1:{port(plain)}")
        print(f"WSS=wss://localhost:{port(secure)}")
        print(f"MUTUAL=wss://localhost:{port(mutual)}")
        print(f"RAW=ws://127.0.0.1:{port(raw_server)}")
        print(f"PROXY=127.0.0.1:{port(proxy_server)}")
        print(f"TLS_PROXY=localhost:{port(tls_proxy)}")
        print(f"FOLDER={folder}")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def select(connection, offered):
    for known in ["v2", "v1"]:
        if known in offered:
            return known


asyncio.run(main())
