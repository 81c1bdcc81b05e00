-- A Lua function that a template calls may render another one: so deep, and no deeper than the native stack goes.
global assert, pcall, template, tostring

local function nested(levels, text)
  return template.render_string(text, { inner = function() return levels == 0 and "end" or nested(levels - 1, text) end })
end
assert.eq(nested(9, "<{{ inner() }}>"), ("<"):rep(10) .. "end" .. (">"):rep(10))
local ok, err = pcall(nested, 10, "<{{ inner() }}>")
assert.eq({ ok, err.kind }, { false, "template" })
assert.contains(tostring(err), "more than 10 templates that are rendered inside of each other")
-- What was ended so is over.
assert.eq(nested(9, "{{ inner() }}"), "end")

-- Macros in each of them: what one level takes of the stack is not there for the next.
for macros = 0, 120, 20 do
  ok, err = pcall(nested, 200, "{% macro m(k) %}{{ m(k - 1) if k else inner() }}{% endmacro %}{{ m(" .. macros .. ") }}")
  assert.eq({ ok, err.kind }, { false, "template" })
end
