-- Errors, logs, permissions and services, from a plugin in C.
-- error: said by C
-- error: key=value
global assert, conformance, pcall, tostring

local ok, err = pcall(conformance.fail, "teapot", "short and stout", "tip it over")
assert.eq(ok, false)
assert.eq(err.kind, "teapot")
assert.eq(err.status, 418)
assert.eq(err.hint, "tip it over")
assert.contains(tostring(err), "conformance.fail: short and stout")
ok, err = pcall(conformance.fail_with, "only text")
assert.contains(tostring(err), "only text")
-- Nothing was said, so the function is named at least.
ok, err = pcall(conformance.fail_silently)
assert.eq(ok, false)
assert.contains(tostring(err), "conformance.fail_silently")
ok, err = pcall(conformance.unknown_tag)
assert.eq(ok, false)
assert.contains(tostring(err), "99")

conformance.log(3, "said by C", { key = "value" })
assert.eq(conformance.allowed("net.connect", "localhost:1"), true)
assert.eq(conformance.service("assay.reactor/1"), true)
assert.eq(conformance.service("assay.reactor/99"), false)
assert.eq(conformance.shutdowns(), 0)
