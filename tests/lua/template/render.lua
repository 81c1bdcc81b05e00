-- stdout: replicas: 3
-- stdout: image: "registry/app:1"
-- stdout: env:
-- stdout:   - A=1
-- stdout:   - B=two
-- stdout: # 2 variables
global require, print, fs, template, json, assert, pcall, tostring

local dir = fs.tempdir()
fs.write(dir .. "/deployment.yaml", [[
replicas: {{ replicas }}
image: {{ image|tojson }}
env:
{%- for name, value in env|dictsort %}
  - {{ name }}={{ value }}
{%- endfor %}
# {% include "parts/count.txt" %}
]])
fs.write(dir .. "/parts/count.txt", "{{ env|length }} variables")
print(template.render(dir .. "/deployment.yaml", {
  replicas = 3,
  image = "registry/app:1",
  env = { B = "two", A = 1 },
}))

-- Without variables, and bytes as they are.
assert.eq(template.render_string("\xff{{ 1 + 1 }}"), "\xff2")
-- What is marked keeps its shape; an empty table is a map.
assert.eq(template.render_string("{{ a }}{{ b }}{{ c }}", { a = json.array(), b = {}, c = json.null }), "[]{}None")

-- The error is at the caller, and names file and line.
local ok, err = pcall(template.render, dir .. "/parts/count.txt", {}, { strict = true })
assert.eq(err.kind, "template")
assert.contains(tostring(err), "template.render: " .. dir .. "/parts/count.txt:1: ")
assert.contains(tostring(err), "`env` is undefined")

-- A table that contains itself is an error.
local endless = {}
endless.endless = endless
assert.raises(function() template.render_string("", endless) end, "contains itself")
-- An object of another family is no value.
assert.raises(function()
  template.render_string("", { a = { fs.lines(dir .. "/deployment.yaml") } })
end, "argument 2: a: %[1%]: a fs.Lines cannot be rendered")
fs.remove(dir, { recursive = true })
