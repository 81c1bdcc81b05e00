---@meta ws

---A WebSocket client.
---@class ws
ws = {}

---@class (exact) ws.Options
---@field headers? table<string, string|integer|string[]> for the handshake; `host` and `user-agent` may be replaced
---@field subprotocols? string[] that are offered, the preferred one first
---@field insecure? boolean trust any certificate; default `false`
---@field ca_cert? string a path or PEM text of CAs to trust beside the platform's; asks for fs.read
---@field client_cert? string a path or PEM text: the certificate to show when the server asks for one; asks for fs.read
---@field client_key? string its key, unless that is in `client_cert` too
---@field proxy? string `http://[user:password@]host:port`, or `https://` where it speaks TLS, instead of what HTTP_PROXY and its like name
---@field timeout? number seconds until the connection is open; also for the closing handshake; default 30
---@field max_message? integer bytes of a received message, more ends the connection with an error; default 64 MiB

---An open WebSocket. What is not closed is when the script ends. `local conn <close> = ws.connect(...)`
---closes it with the block.
---@class ws.Connection
---@field subprotocol? string what was agreed on
---@field close_code? integer once it has ended: the code that the server closed with, 1005 for none, 1006 when it was lost
---@field close_reason? string once it has ended: what the server said, possibly nothing
local Connection = {}

---Sends a text message, which must be UTF-8. Waits until the system has taken it; raises `closed` when
---the connection has ended.
---@param text string
function Connection:send(text) end

---Sends a binary message. Waits until the system has taken it; raises `closed` when the connection has
---ended.
---@param bytes string
function Connection:send_binary(bytes) end

---Waits for the next message, text or binary; nil when the connection was closed.
---
---Raises `timeout` after so many seconds (0 does not wait), and nothing is lost by it; `closed` when the
---connection was lost, `protocol` when the server broke the protocol, `size` for a message over
---`max_message`, `busy` while another coroutine receives.
---@param timeout? number
---@return string?
function Connection:recv(timeout) end

---Closes the connection and waits until the server did, too, at most `timeout` seconds; drops what it
---still sends. A connection that has ended already is fine.
---@param code? integer default 1000; 3000 to 4999 are an application's own
---@param reason? string at most 123 bytes
function Connection:close(code, reason) end

---Connects to a WebSocket server: `ws://` or `wss://`. Waits until the connection is open.
---
---Kinds of errors: `dns`, `connect`, `proxy`, `tls`, `timeout`, `handshake` (with `err.status` when the
---server answered with another status), `permission`, `argument`. HTTP_PROXY and its like are honoured.
---@param url string
---@param opts? ws.Options
---@return ws.Connection
function ws.connect(url, opts) end

---As `conn:send`. Waits.
---@param conn ws.Connection
---@param text string
function ws.send(conn, text) end

---As `conn:send_binary`. Waits.
---@param conn ws.Connection
---@param bytes string
function ws.send_binary(conn, bytes) end

---As `conn:recv`. Waits.
---@param conn ws.Connection
---@param timeout? number
---@return string?
function ws.recv(conn, timeout) end

---As `conn:close`. Waits.
---@param conn ws.Connection
---@param code? integer
---@param reason? string
function ws.close(conn, code, reason) end
