-- assay.lib: what every client library needs: URLs, errors, option checks, waits, pages.
global debug, error, ipairs, math, next, pairs, pcall, setmetatable, sleep, string, table, time, tonumber
global tostring, type

local M = {}

-- Errors ---------------------------------------------------------------------

---An error as every Assay library raises it.
---@class assay.Error
---@field kind string what went wrong, for programs: "usage", "http", "timeout", "failed", ...
---@field message string one readable line
---@field hint? string what to do about it
---@field status? integer the HTTP status, when a server answered
---@field source? string `file:line` of the script that called

local error_meta = {
  __name = "error",
  __tostring = function(self)
    return self.message
  end,
}

local function position(info)
  return info.short_src .. ":" .. info.currentline
end

-- The folder of all libraries that were installed together with this one.
local this = debug and debug.getinfo(1, "S")
local libraries = this and this.source:match("^(@.*/)[^/]+/[^/]+$")

-- Where the script called into the libraries: an error of theirs is about that line.
local function calling_line()
  local level = 2
  while libraries do
    level = level + 1
    local info = debug.getinfo(level, "Sl")
    if not info then
      return nil
    end
    if info.currentline > 0 and info.source:sub(1, #libraries) ~= libraries then
      return position(info)
    end
  end
  return nil
end

---Makes an error object without raising it.
---@param fields table as `assay.Error`
---@return assay.Error
function M.new_error(fields)
  local e = {}
  for key, value in pairs(fields) do
    e[key] = value
  end
  e.kind = e.kind or "error"
  e.message = tostring(e.message)
  return setmetatable(e, error_meta)
end

---Raises an error object. The one place where libraries raise.
---@param fields table as `assay.Error`
---@return never
function M.fail(fields)
  local e = M.new_error(fields)
  e.source = e.source or calling_line()
  error(e, 0)
end

---Raises for a wrong argument or option, at the line that made the mistake.
---@param level integer stack level as for `error`, seen from the function that calls `usage`: 2 is its caller
---@param message string
---@param hint? string
---@return never
function M.usage(level, message, hint)
  local info = debug and debug.getinfo(level + 1, "Sl")
  local source = info and info.currentline > 0 and position(info) or nil
  error(M.new_error { kind = "usage", message = message, hint = hint, source = source }, 0)
end

---The HTTP status of an error, or nil when it is not an answer of a server.
---@param err any
---@return integer?
function M.status_of(err)
  if type(err) == "table" or type(err) == "userdata" then
    return err.status
  end
  return nil
end

---The error as one line of text.
---@param err any
---@return string
function M.text_of(err)
  return (tostring(err):gsub("%s*\n%s*", " "))
end

-- Percent-encoding and URLs --------------------------------------------------

local function hex(c)
  return string.format("%%%02X", c:byte())
end

---Percent-encodes everything except RFC 3986 "unreserved": safe anywhere in a URL.
---@param s string|number|boolean
---@return string
function M.encode(s)
  return (tostring(s):gsub("[^A-Za-z0-9%-._~]", hex))
end

---Percent-encodes one path segment; characters that a segment may hold stay readable.
---`.` and `..` are refused, because every URL parser would resolve them to another path.
---@param s string|number
---@return string
function M.encode_segment(s)
  s = tostring(s)
  if s == "." or s == ".." then
    M.fail { kind = "usage", message = "`" .. s .. "` cannot be a segment of a URL path" }
  end
  return (s:gsub("[^A-Za-z0-9%-._~!$&'()*+,;=:@]", hex))
end

---Percent-encodes every segment of a path and keeps its slashes.
---@param path string
---@return string
function M.encode_path(path)
  return (path:gsub("[^/]+", M.encode_segment))
end

---Decodes percent-encoding; a `+` stays a `+` unless `plus` is true.
---@param s string
---@param plus? boolean decode `+` as a space, as HTML forms do
---@return string
function M.decode(s, plus)
  if plus then
    s = s:gsub("%+", " ")
  end
  return (s:gsub("%%(%x%x)", function(h)
    return string.char(tonumber(h, 16) --[[@as integer]])
  end))
end

---Builds a query string. Keys are sorted, a list value repeats its key, false and true are spelled out.
---@param params? table<string, string|number|boolean|(string|number|boolean)[]>
---@return string # without the leading `?`; empty without parameters
function M.query(params)
  params = params or {}
  local keys = {}
  for key in pairs(params) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  local parts = {}
  for _, key in ipairs(keys) do
    local value = params[key]
    for _, item in ipairs(type(value) == "table" and value or { value }) do
      parts[#parts + 1] = M.encode(key) .. "=" .. M.encode(item)
    end
  end
  return table.concat(parts, "&")
end

---Parses a query string into a map; a repeated key becomes a list.
---@param s string
---@return table<string, string|string[]>
function M.parse_query(s)
  local params = {}
  for pair in s:gmatch("[^&]+") do
    local key, value = pair:match("^([^=]*)=?(.*)$")
    key, value = M.decode(key, true), M.decode(value, true)
    local seen = params[key]
    if seen == nil then
      params[key] = value
    elseif type(seen) == "table" then
      seen[#seen + 1] = value
    else
      params[key] = { seen, value }
    end
  end
  return params
end

---Joins a base URL, an encoded path and query parameters. A path that already has a query keeps it.
---@param base string
---@param path string already percent-encoded
---@param params? table
---@return string
function M.url(base, path, params)
  if path ~= "" and path:sub(1, 1) ~= "/" then
    path = "/" .. path
  end
  local url = base:gsub("/+$", "") .. path
  local query = M.query(params)
  if query == "" then
    return url
  end
  return url .. (url:find("?", 1, true) and "&" or "?") .. query
end

---@class assay.Url
---@field scheme string
---@field userinfo? string
---@field host string an IPv6 address is without its brackets
---@field port? integer
---@field path string
---@field query? string

---Takes a URL apart; nil when it is not an absolute `scheme://host` URL.
---@param s string
---@return assay.Url?
function M.parse_url(s)
  local scheme, authority, rest = s:match("^(%a[%w+.-]*)://([^/?#]*)([^#]*)")
  if not (scheme and authority and rest) then
    return nil
  end
  local userinfo, hostport = authority:match("^(.*)@(.*)$")
  hostport = hostport or authority
  local host, port = hostport:match("^%[([%x:.]+)%]:?(%d*)$")
  if not host then
    host, port = hostport:match("^([^:]+):?(%d*)$")
  end
  if not host then
    return nil
  end
  local path, query = rest:match("^([^?]*)%??(.*)$")
  return {
    scheme = scheme:lower(),
    userinfo = userinfo,
    host = host,
    port = port ~= "" and math.tointeger(tonumber(port)) or nil,
    path = path or "",
    query = query ~= "" and query or nil,
  }
end

-- Options --------------------------------------------------------------------

-- Edits between two words, counted until they differ too much to be a typo.
local function distance(a, b)
  ---@type table<integer, integer>
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

---The known name that is closest to a mistyped one, or nil when none is close.
---@param name string
---@param known table<string, any> known names are the keys
---@return string?
function M.suggest(name, known)
  ---@type string?, integer?
  local best, best_distance
  for candidate in pairs(known) do
    local d = distance(name:lower(), candidate:lower())
    if not best or d < best_distance or (d == best_distance and candidate < best) then
      best, best_distance = candidate, d
    end
  end
  if best and best_distance <= math.max(1, #name // 3) then
    return best
  end
  return nil
end

local function fits(value, types)
  local actual = type(value)
  for expected in types:gmatch("[^|]+") do
    if
      expected == actual
      or (expected == "integer" and math.type(value) == "integer")
      or (expected == "bytes" and actual == "string")
    then
      return true
    end
  end
  return false
end

---Checks an options table and returns a copy; the caller's table is neither changed nor kept.
---@generic T
---@param where string the function, for messages
---@param opts? T
---@param spec table<string, string> option name → accepted types, `"string|number"`
---@param level? integer stack level of the mistake, seen from the function that calls `options`; 2 by default
---@return std.NotNull<T>
function M.options(where, opts, spec, level)
  level = (level or 2) + 1
  if opts == nil then
    return {}
  end
  if type(opts) ~= "table" then
    M.usage(level, where .. ": options: expected a table, got " .. type(opts))
  end
  local checked = {}
  for name, value in pairs(opts) do
    local types = spec[name]
    if not types then
      local close = type(name) == "string" and M.suggest(name, spec)
      M.usage(
        level,
        where .. ": unknown option `" .. tostring(name) .. "`",
        close and "did you mean `" .. close .. "`?" or nil
      )
    end
    if not fits(value, types) then
      M.usage(
        level,
        where .. ": option `" .. name .. "`: expected " .. types:gsub("|", " or ") .. ", got " .. type(value)
      )
    end
    checked[name] = value
  end
  return checked
end

---Checks one argument. A `string` may not be empty: an empty name or path is a mistake that a server
---would answer for something else. `bytes` may.
---@param where string the function, for messages
---@param at integer its position
---@param name string
---@param value any
---@param types string accepted types as `type` names them, or `integer` or `bytes`: `"string|nil"`
---@param level? integer as for `options`
---@return any value
function M.argument(where, at, name, value, types, level)
  if not fits(value, types) then
    local expected = types:gsub("|", " or ")
    M.usage(
      (level or 2) + 1,
      string.format("%s: argument %d (%s): expected %s, got %s", where, at, name, expected, type(value))
    )
  end
  if value == "" and not types:find("bytes", 1, true) then
    M.usage((level or 2) + 1, string.format("%s: argument %d (%s) is empty", where, at, name))
  end
  return value
end

-- Waits ----------------------------------------------------------------------

-- Worth another try: the server was not reached, is busy, or the thing is not there yet.
-- Anything else (a refused token, a bad certificate, a bug in the check) will not change by waiting.
local passing_kind = { dns = true, connect = true, timeout = true, response = true, body = true }
local passing_status = { [404] = true, [408] = true, [409] = true, [429] = true }

---@param err any
local function may_pass(err)
  if type(err) ~= "table" and type(err) ~= "userdata" then
    return false
  end
  local failure = err --[[@as assay.Error]]
  if failure.status then
    return passing_status[failure.status] or failure.status >= 500
  end
  return passing_kind[failure.kind] or false
end

---@class assay.WaitOptions
---@field service string who waits, for the message: `vault`
---@field what string what for: `deployment demo/web to be ready`
---@field timeout number wall-clock seconds
---@field interval? number seconds between two looks, 1 by default
---Returns a true value when done, else nil and the state seen. `remaining` is what is left of the
---timeout, for its own calls.
---@field check fun(remaining: number): any, string?

-- Seconds for a look at the very end: cut off at once, it could only say that it was cut off.
local least_look = 0.5

---Looks again and again until the check is done; raises after the timeout with the last state.
---Failures that can pass (no connection, 404, 409, 429, 5xx) count as a state; others are raised at once.
---@param opts assay.WaitOptions
---@return any # what the check returned
function M.wait(opts)
  local interval = opts.interval or 1
  local start = time()
  local state
  while true do
    local remaining = opts.timeout - (time() - start)
    local ok, done, seen = pcall(opts.check, math.max(remaining, least_look))
    if ok and done then
      return done
    elseif ok then
      state = seen or "not yet"
    elseif may_pass(done) then
      -- When it was the end of the wait that cut a look short, what was seen before says more.
      local failure = done --[[@as assay.Error]]
      local cut_short = failure.kind == "timeout" and time() - start >= opts.timeout
      if not (cut_short and state) then
        state = M.text_of(done)
      end
    else
      error(done, 0)
    end
    remaining = opts.timeout - (time() - start)
    if remaining < 0.001 then
      M.fail {
        kind = "timeout",
        message = string.format(
          "%s: waited %gs for %s; last state: %s", opts.service, opts.timeout, opts.what, state
        ),
      }
    end
    sleep(math.min(interval, remaining))
  end
end

-- Pages ----------------------------------------------------------------------

---Collects the items of all pages. A page that names a token already used ends with an error
---instead of an endless loop.
---@param fetch fun(token: string?): any[], string? returns a page's items and the next page's token
---@param limit? integer stop after this many items
---@return any[] items
---@return string? token of the page that would follow, when the limit cut the list
function M.collect(fetch, limit)
  local items, token, used = {}, nil, {}
  repeat
    local page
    page, token = fetch(token)
    for _, item in ipairs(page) do
      if limit and #items >= limit then
        return items, token
      end
      items[#items + 1] = item
    end
    if token == "" then
      token = nil
    end
    if token then
      if used[token] then
        M.fail { kind = "http", message = "the server sent the page token `" .. token .. "` twice" }
      end
      used[token] = true
    end
  until not token or (limit and #items >= limit)
  return items, token
end

---The target of a `Link` header's relation: `M.link(resp.headers.link, "next")`.
---@param header? string
---@param relation string
---@return string?
function M.link(header, relation)
  for target, params in (header or ""):gmatch("<([^>]*)>([^<]*)") do
    for name, value in params:gmatch(';%s*(%w+)%s*=%s*"?([^",;]*)"?') do
      if name:lower() == "rel" and (" " .. value .. " "):find(" " .. relation .. " ", 1, true) then
        return target
      end
    end
  end
  return nil
end

-- Lines ----------------------------------------------------------------------

---Cuts chunks of a stream into lines, wherever the chunks were cut.
---@param chunks fun(): string? returns the next chunk, nil at the end
---@return fun(): string? # returns the next line without its line feed, nil at the end
function M.lines(chunks)
  -- Pieces of the unfinished line are joined once, when its end arrives: joining at
  -- every chunk would copy a long line over and over.
  local pieces, ready, first, ended = {}, {}, 1, false
  return function()
    while true do
      local line = ready[first]
      if line then
        ready[first] = nil
        first = first + 1
        return line
      end
      if ended then
        return nil
      end
      ready, first = {}, 1
      local chunk = chunks()
      if chunk == nil then
        ended = true
        if next(pieces) then
          ready[1] = table.concat(pieces)
        end
      else
        local from = 1
        while true do
          local at = chunk:find("\n", from, true)
          if not at then
            break
          end
          pieces[#pieces + 1] = chunk:sub(from, at - 1)
          ready[#ready + 1] = table.concat(pieces)
          pieces = {}
          from = at + 1
        end
        if from <= #chunk then
          pieces[#pieces + 1] = chunk:sub(from)
        end
      end
    end
  end
end

return M
