-- stdout: 12.50 EUR, cGFzcw==, 1-2-3, yes
global print, string, base64, table, template, json, assert, math, type, tostring

local filters = {
  money = function(value, currency, options)
    return string.format("%." .. options.digits .. "f %s", value, currency)
  end,
  b64 = base64.encode,
  join_all = function(...) return table.concat({ ... }, "-") end,
  shape = function(value) return type(value) == "table" and #value == 2 and value[1] == json.null and "yes" or "no" end,
}
print(template.render_string(
  "{{ price|money('EUR', digits=2) }}, {{ 'pass'|b64 }}, {{ 1|join_all(2, 3) }}, {{ [none, 1]|shape }}",
  { price = 12.5 },
  { filters = filters }
))

local function render(source, filter, vars)
  return template.render_string(source, vars, { filters = { f = filter } })
end
-- Values go through unchanged, both ways.
local seen
local function keep(...) seen = { ... } return ... end
assert.eq(render("{{ v|f }}", keep, { v = "\xff\x00" }), "\xff\x00")
assert.eq(seen[1], "\xff\x00")
assert.eq(render("{{ v|f }}", keep, { v = math.mininteger }), tostring(math.mininteger))
assert.eq(math.type(seen[1]), "integer")
assert.eq(render("{{ v|f }}", keep, { v = 2.0 }), "2.0")
assert.eq(render("{{ (v|f).a[1] }}", keep, { v = { a = { 1, 2 } } }), "2")
assert.eq(seen[1], { a = { 1, 2 } })
assert.eq(render("{{ {'a': none, 'b': [range(2)|list]}|f }}", keep), "{'b': [[0, 1]]}")
-- What is undefined is nil; nil is none.
assert.eq(render("{{ nope|f }}", function(v) return v or "default" end), "default")
assert.eq(render("{{ 1|f }}{{ (1|f) is none }}", function() end), "NoneTrue")
-- It wins over a builtin, works in map() and filter blocks, and its result is escaped.
assert.eq(render("{{ [1, 2]|map('f')|join(',') }}{% filter f %}x{% endfilter %}", function(v) return v .. "!" end), "1!,2!x!")
local result = template.render_string("{{ 'a'|upper }}", {}, { autoescape = "html", filters = { upper = function() return "<" end } })
assert.eq(result, "&lt;")

-- Functions among the variables can be called.
assert.eq(template.render_string("{{ add(1, 2) }} {{ m.add(3, 4) }}", {
  add = function(a, b) return a + b end,
  m = { add = function(a, b) return a + b end },
}), "3 7")
-- A template inside a filter.
assert.eq(render("{{ 'x'|f }}", function(v) return template.render_string("<{{ v }}>", { v = v }) end), "<x>")
