global assert, ipairs, json, pcall

for _, text in ipairs({
  "", " ", "{", "[", "[1,]", "{,}", '{"a":}', "tru", "nul", "01", "1.", "1e", "+1", "-", ".5", "NaN", "Infinity",
  "'a'", '"a', '"\n"', [["\x"]], [["\u12"]], [["\ud800"]], [["\ud800\u0041"]], [["\udc00"]], "1 2", "[1] x",
  "// c\n1", "{a:1}", '"\xff"', "\0", "[1\0]", ("["):rep(100000), ('{"a":'):rep(100000), "\xef\xbb\xbf1x",
}) do
  local ok, err = pcall(json.parse, text)
  assert.eq(ok, false, text:sub(1, 20))
  assert.eq(err.kind, "syntax")
  assert.matches(err.message, "^json%.parse: line %d+, column %d+: ")
end

-- As deep as promised, both ways.
local deep = ("["):rep(200) .. ("]"):rep(200)
assert.eq(json.encode(json.parse(deep)), deep)
