-- assay.lib without a network.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local lib = require("assay.lib")
local testing = require("assay.testing")

describe("percent-encoding", function()
  it("encodes all that is not unreserved", function()
    assert.eq(lib.encode("azAZ09-._~"), "azAZ09-._~")
    assert.eq(lib.encode('rate(x{a="b"}[5m]) + 1 & 2'), "rate%28x%7Ba%3D%22b%22%7D%5B5m%5D%29%20%2B%201%20%26%202")
    assert.eq(lib.encode("\0\255é/"), "%00%FF%C3%A9%2F")
    assert.eq(lib.encode(42), "42")
  end)

  it("decodes what it encoded, every byte", function()
    local bytes = {}
    for byte = 0, 255 do
      bytes[#bytes + 1] = string.char(byte)
    end
    local all = table.concat(bytes)
    assert.eq(lib.decode(lib.encode(all)), all)
  end)

  it("leaves a plus alone, unless it is told that it reads a form", function()
    assert.eq(lib.decode("a+b%2B"), "a+b+")
    assert.eq(lib.decode("a+b%2B", true), "a b+")
    assert.eq(lib.decode("100%"), "100%")
  end)

  it("keeps in a segment what a segment may hold", function()
    assert.eq(lib.encode_segment("22:1c@x+y"), "22:1c@x+y")
    assert.eq(lib.encode_segment("a/b?c#d e"), "a%2Fb%3Fc%23d%20e")
    assert.eq(lib.encode_path("secret/data/a b/é"), "secret/data/a%20b/%C3%A9")
    assert.eq(lib.encode_path("/x//y/"), "/x//y/")
  end)

  it("refuses segments that a URL parser would resolve away", function()
    for _, path in ipairs { "..", "a/../b", "./a", "a/." } do
      assert.raises(function()
        lib.encode_path(path)
      end, "cannot be a segment")
    end
    assert.eq(lib.encode_path("a/..b/c."), "a/..b/c.")
  end)
end)

describe("queries", function()
  it("are sorted, repeat lists, and spell out booleans", function()
    assert.eq(lib.query { b = 2, a = { "x", "y" }, c = true }, "a=x&a=y&b=2&c=true")
    assert.eq(lib.query {}, "")
    assert.eq(lib.query(), "")
  end)

  it("survive characters that mean something", function()
    local query = 'up{job=~"a+b"} & x=1'
    assert.eq(lib.parse_query(lib.query { query = query }), { query = query })
  end)

  it("parse into a map", function()
    assert.eq(lib.parse_query("a=1&b=x+y&a=2&c=&d"), { a = { "1", "2" }, b = "x y", c = "", d = "" })
  end)
end)

describe("URLs", function()
  it("join without doubled slashes", function()
    assert.eq(lib.url("http://h/", "/v1/x"), "http://h/v1/x")
    assert.eq(lib.url("http://h/base//", "v1/x", { a = 1 }), "http://h/base/v1/x?a=1")
    assert.eq(lib.url("http://h", "/x?b=2", { a = 1 }), "http://h/x?b=2&a=1")
    assert.eq(lib.url("http://h", ""), "http://h")
  end)

  it("come apart", function()
    assert.eq(lib.parse_url("https://u:p@vault.example:8200/v1/x?a=b#f"), {
      scheme = "https", userinfo = "u:p", host = "vault.example", port = 8200, path = "/v1/x", query = "a=b",
    })
    assert.eq(lib.parse_url("HTTP://[fd00::1]:80").host, "fd00::1")
    assert.eq(lib.parse_url("http://h").path, "")
    for _, bad in ipairs { "vault:8200", "/x", "", "http://", "http://a b:c:d" } do
      assert.eq(lib.parse_url(bad), nil)
    end
  end)
end)

describe("errors", function()
  it("are tables that read as one line", function()
    local err = testing.raised(function()
      lib.fail { kind = "http", message = "vault: GET /v1/x HTTP 403: permission denied", status = 403, hint = "log in" }
    end)
    assert.eq(tostring(err), "vault: GET /v1/x HTTP 403: permission denied")
    assert.eq(err.kind, "http")
    assert.eq(err.hint, "log in")
    assert.eq(lib.status_of(err), 403)
    assert.eq(lib.status_of("text"), nil)
  end)

  it("name the line of the script that called into the libraries", function()
    local folder = fs.tempdir()
    fs.write(folder .. "/script.lua", "local lib = ...\n\nlib.fail { kind = 'x', message = 'no' }\n")
    local err = testing.raised(function()
      assert(loadfile(folder .. "/script.lua"))(lib)
    end)
    assert.matches(err.source, "script%.lua:3$")
    fs.remove(folder, { recursive = true })
  end)

  it("on misuse name the caller's line", function()
    local function api()
      lib.usage(2, "api: wrong")
    end
    local err = testing.raised(function()
      api()
    end)
    assert.eq(tostring(err), "api: wrong")
    assert.matches(err.source, "lib_test%.lua:%d+$")
  end)
end)

describe("options", function()
  local spec = { timeout = "number", label_selector = "string|table", force = "boolean", limit = "integer" }
  local function api(opts)
    local checked = lib.options("x.y", opts, spec)
    return checked
  end

  it("come back as a copy", function()
    local given = { timeout = 1.5, label_selector = "a=b" }
    local checked = api(given)
    assert.eq(checked, given)
    checked.timeout = 2
    assert.eq(given.timeout, 1.5)
    assert.eq(api(nil), {})
  end)

  local function refused(name, opts, text, hint)
    it("refuse " .. name, function()
      local err = testing.raised(function()
        api(opts)
      end)
      assert.eq(err.kind, "usage")
      assert.contains(tostring(err), text)
      assert.contains(err.source, "lib_test.lua:")
      assert.eq(err.hint, hint)
    end)
  end
  refused("a typo", { timout = 1 }, "x.y: unknown option `timout`", "did you mean `timeout`?")
  refused("an unknown name", { nonsense = 1 }, "x.y: unknown option `nonsense`", nil)
  refused("a list", { "a" }, "x.y: unknown option `1`", nil)
  refused("a wrong type", { timeout = "5" }, "x.y: option `timeout`: expected number, got string", nil)
  refused("one of several types", { label_selector = 5 }, "x.y: option `label_selector`: expected string or table, got number", nil)
  refused("a fraction for an integer", { limit = 1.5 }, "x.y: option `limit`: expected integer, got number", nil)
  refused("something else than a table", "fast", "x.y: options: expected a table, got string", nil)
end)

describe("arguments", function()
  local function api(value, types)
    lib.argument("x.y", 2, "name", value, types)
  end
  local function refused(value, types, text)
    local err = testing.raised(function()
      api(value, types)
    end)
    assert.eq(err.kind, "usage")
    assert.eq(tostring(err), text)
    assert.contains(err.source, "lib_test.lua:")
  end

  it("are checked by type, and strings by content", function()
    api("a", "string")
    api(nil, "string|nil")
    api("", "bytes")
    api(3, "integer")
    refused(nil, "string", "x.y: argument 2 (name): expected string, got nil")
    refused(3, "string|table", "x.y: argument 2 (name): expected string or table, got number")
    refused(1.5, "integer", "x.y: argument 2 (name): expected integer, got number")
    refused("", "string", "x.y: argument 2 (name) is empty")
  end)
end)

describe("suggestions", function()
  it("are close names only", function()
    local known = { deployment = 1, daemonset = 1, pod = 1, node = 1 }
    assert.eq(lib.suggest("deploymnt", known), "deployment")
    assert.eq(lib.suggest("POD", known), "pod")
    assert.eq(lib.suggest("xyzzy", known), nil)
    assert.eq(lib.suggest("x", {}), nil)
  end)
end)

describe("waits", function()
  it("end with what the check returns", function()
    local looks = 0
    local result = lib.wait {
      service = "x", what = "three", timeout = 5, interval = 0.001,
      check = function()
        looks = looks + 1
        return looks == 3 and "done", "look " .. looks
      end,
    }
    assert.eq(result, "done")
    assert.eq(looks, 3)
  end)

  it("count wall time, also that of the check itself", function()
    local before = time()
    local err = testing.raised(function()
      lib.wait {
        service = "x", what = "ever", timeout = 0.2, interval = 0.01,
        check = function()
          sleep(0.15)
          return nil, "still nothing"
        end,
      }
    end)
    assert.eq(tostring(err), "x: waited 0.2s for ever; last state: still nothing")
    assert.lt(time() - before, 2)
  end)

  it("tell the check what time is left, and leave a last look some", function()
    local left = {}
    testing.raised(function()
      lib.wait {
        service = "x", what = "ever", timeout = 0.7, interval = 0.1,
        check = function(remaining)
          left[#left + 1] = remaining
        end,
      }
    end)
    assert.gt(left[1], left[2])
    assert.eq(left[#left], 0.5)
  end)

  it("keep the last state when their end cuts a look short", function()
    local looks = 0
    local err = testing.raised(function()
      lib.wait {
        service = "x", what = "ever", timeout = 0.1, interval = 0.01,
        check = function()
          looks = looks + 1
          if looks == 1 then
            return nil, "half done"
          end
          sleep(0.2)
          lib.fail { kind = "timeout", message = "no answer in time" }
        end,
      }
    end)
    assert.eq(tostring(err), "x: waited 0.1s for ever; last state: half done")
  end)

  it("try again after failures that can pass", function()
    local failures = { { kind = "connect" }, { kind = "timeout" }, { status = 404 }, { status = 429 }, { status = 503 } }
    local looks = 0
    lib.wait {
      service = "x", what = "y", timeout = 5, interval = 0.001,
      check = function()
        looks = looks + 1
        if failures[looks] then
          lib.fail { kind = failures[looks].kind or "http", status = failures[looks].status, message = "no" }
        end
        return true
      end,
    }
    assert.eq(looks, 6)
  end)

  it("give up at once on failures that cannot", function()
    for _, failure in ipairs { { kind = "http", status = 401 }, { kind = "http", status = 403 }, { kind = "failed" }, { kind = "tls" }, { kind = "usage" } } do
      local looks = 0
      local err = testing.raised(function()
        lib.wait {
          service = "x", what = "y", timeout = 5, interval = 0.001,
          check = function()
            looks = looks + 1
            lib.fail { kind = failure.kind, status = failure.status, message = "lasting" }
          end,
        }
      end)
      assert.eq(tostring(err), "lasting")
      assert.eq(looks, 1)
    end
  end)

  it("let a bug in the check through", function()
    local err = testing.raised(function()
      lib.wait {
        service = "x", what = "y", timeout = 5,
        check = function()
          local nothing
          return nothing.field
        end,
      }
    end)
    assert.contains(tostring(err), "nothing")
  end)
end)

describe("pages", function()
  local function pages(all)
    return function(token)
      local page = all[token or "1"]
      return page.items, page.next
    end
  end

  it("are collected", function()
    local items = lib.collect(pages {
      ["1"] = { items = { "a", "b" }, next = "2" }, ["2"] = { items = {}, next = "3" }, ["3"] = { items = { "c" }, next = "" },
    })
    assert.eq(items, { "a", "b", "c" })
  end)

  it("stop at a limit", function()
    local items, token = lib.collect(pages { ["1"] = { items = { "a", "b" }, next = "2" } }, 2)
    assert.eq(items, { "a", "b" })
    assert.eq(token, "2")
    assert.eq(#lib.collect(pages { ["1"] = { items = { "a", "b" } } }, 1), 1)
  end)

  it("never go round in circles", function()
    local err = testing.raised(function()
      lib.collect(pages { ["1"] = { items = { "a" }, next = "2" }, ["2"] = { items = { "b" }, next = "2" } })
    end)
    assert.contains(tostring(err), "the page token `2` twice")
  end)

  it("are found in a Link header", function()
    local header = '</x?page=1>; rel="prev", </x?page=3&q=a,b>; rel="next"; title="n"'
    assert.eq(lib.link(header, "next"), "/x?page=3&q=a,b")
    assert.eq(lib.link(header, "prev"), "/x?page=1")
    assert.eq(lib.link(header, "last"), nil)
    assert.eq(lib.link(nil, "next"), nil)
    assert.eq(lib.link("<https://h/x>; rel=next", "next"), "https://h/x")
  end)
end)

describe("lines", function()
  local function lines_of(chunks)
    local i, out = 0, {}
    for line in lib.lines(function()
      i = i + 1
      return chunks[i]
    end) do
      out[#out + 1] = line
    end
    return out
  end

  it("come whole from chunks cut anywhere", function()
    local text = "one\ntwo\n\nthree"
    for size = 1, #text do
      local chunks = {}
      for at = 1, #text, size do
        chunks[#chunks + 1] = text:sub(at, at + size - 1)
      end
      assert.eq(lines_of(chunks), { "one", "two", "", "three" })
    end
  end)

  it("end with the last line feed", function()
    assert.eq(lines_of { "a\n" }, { "a" })
    assert.eq(lines_of { "\n\n" }, { "", "" })
    assert.eq(lines_of { "" }, {})
    assert.eq(lines_of {}, {})
  end)
end)
