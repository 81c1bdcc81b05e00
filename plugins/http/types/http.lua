---@meta http

---HTTP: a client, and a server whose handlers are Lua functions.
---
---A status of 400 or more does not raise. A failed transfer does, with the phase as its kind: `dns`,
---`connect`, `proxy`, `tls`, `timeout`, `response`, `body`, `redirect`; or `permission`, `argument`, `closed`.
---@class http
http = {}

---What can be the value of a header or query parameter; a list repeats the name.
---@alias http.Values string|number|boolean|(string|number|boolean)[]

---@class (exact) http.Options
---@field headers? table<string, http.Values> replace the client's and the defaults, whatever their case; without `Accept-Encoding` and `Range` a response may come as gzip, and is unpacked
---@field query? table<string, http.Values> percent-encoded, behind the query that the URL has
---@field body? string|table bytes, or a table that is sent as JSON
---@field form? table<string, http.Values> a body as `application/x-www-form-urlencoded`
---@field multipart? table<string, http.Values|http.Part|http.Part[]>|http.Part[] a body as `multipart/form-data`: parts by name, sent in the order of their names, or a list of parts that have a `name`
---@field auth? http.Auth default: user and password that the URL has
---@field timeout? number seconds for everything, redirects and body included; with `stream` and `on_event`, for the headers and then for each part of the body; with `retries`, for each attempt; default 30
---@field connect_timeout? number seconds for name, proxy, connection and TLS; default 10
---@field follow_redirects? boolean default true; 301, 302 and 303 lead to a GET, another origin gets none of the caller's headers
---@field max_redirects? integer default 10
---@field max_body? integer bytes of the response's body; default 100 MiB, with `stream` no limit; with `on_event` of each event
---@field retries? http.Retries send it again when that may help; default: the client's, and without any: never
---@field stream? boolean the response's `body` is an object to read from
---@field on_event? fun(event: http.ServerEvent): false? called with each server-sent event, one after the other; may wait; returning false ends the request. What it raises is raised. A response that is no `text/event-stream` with status 200 is returned with its body, as without `on_event`

---A part of a multipart body: one of `data` and `path`.
---@class (exact) http.Part
---@field name? string in a list of parts; in a table by name, the key is the name
---@field data? string|number|boolean bytes
---@field path? string a file, read while it is sent; asks for fs.read
---@field filename? string default: the last part of `path`; none for `data`
---@field content_type? string default `application/octet-stream` for what has a filename; none for the rest

---When to send a request again. Failures (kinds `dns`, `connect`, `proxy`, `timeout`, `response` and `body`) and the
---listed statuses are followed by another attempt after a pause: what `Retry-After` says (but when that
---is longer than `max_backoff`, the response is returned), otherwise `backoff` seconds, doubled with
---each attempt up to `max_backoff`, of which the upper half is left to chance.
---@class (exact) http.Retries
---@field attempts? integer how often it is sent at most, the first time included; default 3
---@field backoff? number seconds before the second attempt; default 0.5
---@field max_backoff? number seconds before any attempt; default 30
---@field statuses? integer[] default 408, 429, 502, 503, 504
---@field methods? string[] default: those that may be repeated without harm: GET, HEAD, OPTIONS, PUT, DELETE, TRACE

---@class (exact) http.ServerEvent
---@field data string the lines of its data, joined with line feeds
---@field event string its type; `message` where the server gives none
---@field id? string the last one that the server gave, with this event or before: `Last-Event-ID` when connecting again
---@field retry? integer milliseconds to wait before connecting again, where the server said so

---@class (exact) http.Request.Options: http.Options
---@field method? string default GET
---@field url string

---One of both.
---@class (exact) http.Auth
---@field basic? string[]|{user: string, pass: string} user and password
---@field bearer? string a token

---@class (exact) http.Client.Options
---@field base_url? string put before URLs that are only a path, its own path included
---@field headers? table<string, http.Values> of every call
---@field auth? http.Auth of every call
---@field timeout? number as in calls
---@field connect_timeout? number as in calls
---@field follow_redirects? boolean as in calls
---@field max_redirects? integer as in calls
---@field max_body? integer as in calls
---@field ca_cert? string a path or PEM text: CAs to trust beside the usual ones; asks for fs.read
---@field ca_cert_file? string a path
---@field client_cert? string a path or PEM text: the certificate that the client shows when a server asks for one, its chain behind it; asks for fs.read
---@field client_key? string a path or PEM text: the key of `client_cert`, unencrypted; may be left out where `client_cert` holds it too
---@field insecure? boolean no certificate is verified
---@field proxy? string|false URL of a proxy for all requests: `http://`, `https://` or `socks5://`, with `user:password@` where it wants them; names are resolved by the proxy; false for none; default: what `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say
---@field no_proxy? string|string[] hosts that `proxy` is not for: names with all below them, addresses, networks (`10.0.0.0/8`), or `*`
---@field unix_socket? string a path: all requests go there, whatever host the URL has; `base_url` is then `http://localhost` by default; asks for net.connect to `unix:PATH`
---@field retries? http.Retries as in calls
---@field pool? integer how many idle connections to keep for each host; 0 for none

---Options of a download: those of a GET, and what the file must be.
---@class (exact) http.Download.Options
---@field sha256? string 64 hexadecimal digits: another content raises (kind `digest`)
---@field max_size? integer bytes; more raises (kind `body`); default: no limit
---@field headers? table<string, http.Values> as in calls
---@field query? table<string, http.Values> as in calls
---@field auth? http.Auth as in calls
---@field timeout? number seconds for the headers, and then for each part of the body; default 30
---@field connect_timeout? number as in calls
---@field follow_redirects? boolean as in calls
---@field max_redirects? integer as in calls
---@field retries? http.Retries as in calls; each attempt starts from the beginning

---@class http.Response
---@field status integer
---@field headers table<string, string> lower-case names; repeated values joined with `, `, of `set-cookie` the first
---@field body string with `stream=true` an `http.Body`
---@field url string of the last hop
---@field version string of HTTP: `1.1`, `2`
---@field repeated_headers? table<string, string[]> the headers that came more than once
local Response = {}

---The body as JSON. Nulls become nil, or `json.null` with `null=true`. Integers that Lua cannot hold raise.
---@param opts? {null?: boolean}
---@return any
function Response:json(opts) end

---All values of a header, whatever its case; an empty list without it.
---@param name string
---@return string[]
function Response:header_values(name) end

---A response body that is read as it comes, and an iterator over its chunks:
---`for chunk in response.body do`. The sender waits for the reader.
---@class http.Body
---@overload fun(): string?
local Body = {}

---The next bytes, at most `max`; nil at the end. Waits for them.
---@param max? integer
---@return string?
function Body:read(max) end

---Drops what is left, and the connection with it; waits until that is done. Also with `<close>`.
function Body:close() end

---Defaults for calls, and connections that they share. Also with `<close>`.
---@class http.Client
local Client = {}

---As `http.get`, with the client's defaults. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function Client:get(url, opts) end

---As `http.head`. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function Client:head(url, opts) end

---As `http.options`. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function Client:options(url, opts) end

---As `http.delete`. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function Client:delete(url, opts) end

---As `http.post`. Waits for the answer.
---@param url string
---@param body? string|table
---@param opts? http.Options
---@return http.Response
function Client:post(url, body, opts) end

---As `http.put`. Waits for the answer.
---@param url string
---@param body? string|table
---@param opts? http.Options
---@return http.Response
function Client:put(url, body, opts) end

---As `http.patch`. Waits for the answer.
---@param url string
---@param body? string|table
---@param opts? http.Options
---@return http.Response
function Client:patch(url, body, opts) end

---As `http.request`. Waits for the answer.
---@param request http.Request.Options
---@return http.Response
function Client:request(request) end

---As `http.download`, with this client's defaults. Waits for the end.
---@param url string
---@param path string
---@param opts? http.Download.Options
---@return integer
function Client:download(url, path, opts) end

---Closes the idle connections; calls from now on raise.
function Client:close() end

---Sends a GET request. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function http.get(url, opts) end

---Sends a HEAD request. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function http.head(url, opts) end

---Sends an OPTIONS request. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function http.options(url, opts) end

---Sends a DELETE request; `opts.body` is allowed. Waits for the answer.
---@param url string
---@param opts? http.Options
---@return http.Response
function http.delete(url, opts) end

---Sends a POST request. A table as body is sent as JSON. Waits for the answer.
---@param url string
---@param body? string|table
---@param opts? http.Options
---@return http.Response
function http.post(url, body, opts) end

---Sends a PUT request. A table as body is sent as JSON. Waits for the answer.
---@param url string
---@param body? string|table
---@param opts? http.Options
---@return http.Response
function http.put(url, body, opts) end

---Sends a PATCH request. A table as body is sent as JSON. Waits for the answer.
---@param url string
---@param body? string|table
---@param opts? http.Options
---@return http.Response
function http.patch(url, body, opts) end

---Sends a request whose method and URL are options too. Waits for the answer.
---@param request http.Request.Options
---@return http.Response
function http.request(request) end

---Loads a file with GET and waits for its end: all of it, or nothing is written and a file that was
---there stays. It is written beside its place (in the same folder, which must exist), synced, and renamed. A status
---other than 200 to 299 raises (kind `status`). Asks for fs.write.
---@param url string
---@param path string
---@param opts? http.Download.Options
---@return integer bytes that were written
function http.download(url, path, opts) end

---Makes a client: defaults for its calls, and connections that they share.
---@param opts? http.Client.Options
---@return http.Client
function http.client(opts) end

---By method (in capitals; `*` is any), then by path. A path's parts may be parameters (`:name` or
---`{name}`), its last one `*` for the rest. The most specific path wins, whatever its method.
---@alias http.Routes table<string, table<string, fun(req: http.Request): http.Reply>>

---@class (exact) http.Serve.Options
---@field host? string address to listen on; default `0.0.0.0`
---@field tls? http.Serve.Tls HTTPS instead of HTTP
---@field workers? integer VMs that serve the port, each running the script from its start on a thread of its own; default 1
---@field max_body? integer bytes of a request's body, more is answered with 413, or of a WebSocket's message, more closes it with 1009; default 10 MiB
---@field max_connections? integer at a time, for each worker; more wait, and idle ones end for them; default 10,000
---@field timeout? number seconds for a handler to return, after which it is cancelled and 503 answered; without it, it may take for ever
---@field header_timeout? number seconds from the first byte of a request to the end of its headers; also for the handshake of TLS, and the closing one of a WebSocket; default 10
---@field idle_timeout? number seconds without a byte where it is the client's turn: between requests, in a body, while it should take a response; default 60. A WebSocket's client gets a ping after half of it
---@field shutdown_timeout? number seconds for requests in flight when the process is asked to end; default 10
---@field access_log? boolean logs each response, at the level info: method, path, status, bytes of its body, duration_ms, peer; default false
---@field on_listen? fun(address: string) told where the server listens, as `ip:port` that can be connected to; what it raises ends the server. With workers, the first one's

---Each a path or PEM text; a path asks for fs.read.
---@class (exact) http.Serve.Tls
---@field cert string the certificate, followed by those between it and the CA
---@field key string its private key

---@class http.Request
---@field method string in capitals
---@field path string as sent, still percent-encoded
---@field query string as sent, without the `?`; empty without one
---@field params table<string, string|string[]> the decoded query; what repeats is a list
---@field path_params table<string, string> decoded; the rest that `*` matched is under `*`
---@field headers table<string, string> lower-case names; repeated values joined with `, `
---@field body string
---@field peer string `ip:port`
local Request = {}

---The body as JSON. Nulls become nil, or `json.null` with `null=true`. Integers that Lua cannot hold raise.
---@param opts? {null?: boolean}
---@return any
function Request:json(opts) end

---What a handler returns. At most one of `body`, `json`, `file`, `stream`, `sse` and `ws`.
---@class (exact) http.Reply
---@field status? integer default 200
---@field headers? table<string, http.Values> win over defaults; those that frame the body are the server's
---@field body? string bytes, as text unless `headers` says otherwise
---@field json? any sent as JSON
---@field file? string a path, sent with a type by its extension, `ETag` and `Last-Modified`; ranges and conditions are honoured unless `status` is set. 404 without such a file, or with a part `..` in it; asks for fs.read
---@field stream? fun(write: http.Writer) writes the body as it comes
---@field sse? fun(send: http.Events) sends server-sent events
---@field ws? fun(conn: http.WebSocket) talks over a WebSocket, which is closed when it returns; 426 where the request is for none
---@field subprotocols? string[] that `ws` speaks, the preferred one first; the first that the client offers is `conn.subprotocol`

---A WebSocket that a client opened. Any page of any site can open one, with the user's cookies: where
---these mean something, compare `req.headers.origin` before answering with `ws`.
---@class http.WebSocket
---@field subprotocol? string what was agreed on
local WebSocket = {}

---Sends a text message, which must be UTF-8. Waits while the client takes no more; raises `closed` when
---the connection was.
---@param text string
function WebSocket:send(text) end

---Sends a binary message. Waits while the client takes no more; raises `closed` when the connection was.
---@param bytes string
function WebSocket:send_binary(bytes) end

---Waits for the next message, text or binary; nil when the connection was closed. Raises `timeout` after
---so many seconds, `closed` when the connection was lost.
---@param timeout? number
---@return string?
function WebSocket:recv(timeout) end

---Closes the connection and waits until the client did, too; drops what it still sends.
---@param code? integer default 1000; 3000 to 4999 are an application's own
---@param reason? string at most 123 bytes
function WebSocket:close(code, reason) end

---Sends bytes: `write(chunk)`. Waits while the client takes no more; raises when it has gone.
---@class http.Writer
---@overload fun(chunk: string)

---Sends an event: `send(text)` or `send{data=, event=, id=, retry=}`. Waits while the client takes no
---more; raises when it has gone.
---@class http.Events
---@overload fun(event: string|http.Event)

---@class (exact) http.Event
---@field data? string|number|boolean|table line breaks are kept; a table is sent as JSON
---@field event? string without line breaks
---@field id? string|number without line breaks
---@field retry? integer milliseconds

---Serves, and waits until the process is asked to end; then drains and returns. Handlers run concurrently,
---and may wait. One that raises is logged, and answered with 500. Cancelling the coroutine ends the listener and
---all connections at once.
---@param port integer 0 for any free one
---@param routes http.Routes
---@param opts? http.Serve.Options
function http.serve(port, routes, opts) end
