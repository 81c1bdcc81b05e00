-- A filter's error keeps what was raised; a filter cannot wait.
global template, error, pcall, assert, tostring, sleep, fs, getmetatable

local function fails(filter)
  local ok, err = pcall(template.render_string, "a\n{{ 1|f }}", {}, { filters = { f = filter } })
  assert.eq(ok, false)
  return err
end

local err = fails(function() error("plain") end)
assert.contains(tostring(err), "<string>:2: ")
assert.contains(tostring(err), "plain")

err = fails(function() error({ kind = "mine", message = "text" }) end)
assert.eq(err.kind, "mine")
assert.contains(err.message, "<string>:2: text")

err = fails(function() fs.read("/nowhere") end)
assert.eq(err.kind, "not_found")
assert.contains(tostring(err), "cannot read /nowhere")

err = fails(function() sleep(0.01) end)
assert.contains(tostring(err), "<string>:2: ")
assert.contains(tostring(err), "wait")

err = fails(function() return fs.lines("/etc/passwd") end)
assert.contains(tostring(err), "a fs.Lines cannot be rendered")

-- The engine is whole afterwards.
assert.eq(template.render_string("{{ 1 }}"), "1")
