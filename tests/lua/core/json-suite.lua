-- Texts that a parser must take (y), must refuse (n), or may do either with (i), as public suites sort them.
global assert, ipairs, json, math, pcall, string, type

local function same(text, expected)
  local ok, value = pcall(json.parse, text, { null = true })
  assert(ok, text)
  assert.eq(value, expected, text)
  if type(expected) == "number" then
    assert.eq(math.type(value), math.type(expected), text)
  end
end

-- y: taken, and what they are.
for _, case in ipairs({
  { "[]", {} }, { "[ ]", {} }, { "{}", {} }, { "{ }", {} }, { " [] ", {} }, { "\n[]\t\r", {} },
  { "[[]]", { {} } }, { '[""]', { "" } }, { '{"":0}', { [""] = 0 } }, { "[1,null,2]", { 1, json.null, 2 } },
  { "0", 0 }, { "-1", -1 }, { "10", 10 }, { "1.5", 1.5 }, { "-0.0", -0.0 }, { "0e1", 0.0 }, { "0e+1", 0.0 },
  { "1E22", 1e22 }, { "1E-2", 0.01 }, { "1e+2", 100.0 }, { "123.456e-2", 1.23456 }, { "1.0", 1.0 },
  { "123456789012345678", 123456789012345678 }, { "1234567890123456789", 1234567890123456789 },
  { "9223372036854775807", math.maxinteger }, { "-9223372036854775808", math.mininteger },
  { "0.1e1", 1.0 }, { "-0.000000000000000000000000000000000000000000000000000000000000000000000000000000001", -1e-81 },
  { "5e-324", 5e-324 }, { "1.7976931348623157e308", 1.7976931348623157e308 },
  { '"\\""', '"' }, { '"\\\\"', "\\" }, { '"\\/"', "/" }, { '"\\b\\f\\n\\r\\t"', "\b\f\n\r\t" },
  { '"\\u0060\\u012a\\u12AB"', "`Īካ" }, { '"\\uD801\\udc37"', "\u{10437}" }, { '"\\ud83d\\ude39\\ud83d\\udc8d"', "😹💍" },
  { '"\\uDBFF\\uDFFE"', "\u{10FFFE}" }, { '"\\uFFFE\\uFFFF\\uFDD0"', "\u{FFFE}\u{FFFF}\u{FDD0}" },
  { '"\\u0000"', "\0" }, { '"\\\\u0000"', "\\u0000" }, { '"\x7f"', "\x7f" }, { '"\u{2028}\u{2029}"', "\u{2028}\u{2029}" },
  { '"π€𝄞"', "π€𝄞" }, { '"/* no comment */ // "', "/* no comment */ // " },
  { '{"a":"b","a":"c"}', { a = "c" } }, { '{"a":"b","a":"b"}', { a = "b" } }, { '{"a\\u0000b":1}', { ["a\0b"] = 1 } },
  { "true", true }, { "false", false }, { "null", json.null }, { '"x"', "x" },
}) do
  same(case[1], case[2])
end

-- n: refused, as errors of kind `syntax` that have a place.
for _, text in ipairs({
  "[1 true]", "[a\xe5]", '["": 1]', '[""],', "[,1]", "[1,,2]", '["x"]]', '["",]', '["x"', "[x", "[3[4]]", "[1:2]",
  "[,]", "[-]", '["a",\n4\n,1,', "[1,\n1\n,1", "[{}", "[*]", "[fals]", "[nul]", "[tru]", "[++1234]", "[+1]", "[-01]",
  "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]", "[0.3e+]", "[0.3e]", "[0.e1]", "[0E+]", "[0E]", "[1.0e+]",
  "[1.0e-]", "[1.0e]", "[1 000.0]", "[1eE2]", "[2.e+3]", "[9.e+]", "[Inf]", "[NaN]", "[-foo]", "[1+2]", "[0x1]", "[0x42]",
  "[Infinity]", "[-Infinity]", "[-1x]", "[1ea]", "[1.]", "[.123]", "[１]", "[1.2a-3]", "[1.8011670033376514H-308]", "[012]",
  "[-012]", '["x", truth]', '{[: "x"}\n', '{"x", null}', '{"x"::"b"}', "{🇨🇭}", '{"a":"a" 123}', '{key: \'value\'}', '{"a" b}',
  '{:"b"}', '{"a" "b"}', '{"a":', '{"a"', "{1:1}", "{9999E9999:1}", "{null:null,null:null}", '{"id":0,,,,,}', "{'a':0}",
  '{"id":0,}', '{"a":"b"}/**/', '{"a":"b"}/**//', '{"a":"b"}//', '{"a":"b"}/', '{"a":"b",,"c":"d"}', '{a: "b"}', '{"a":"a', '{ "foo" : "bar", "a" }',
  '{"a":"b"}#', " ", '["\\uD800\\"]', '["\\uD800\\u"]', '["\\uD800\\u1"]', '["\\uD800\\u1x"]', "[é]", '["\\\0"]', '["\\x00"]',
  '["\\\\\\"]', '["\\\t"]', '["\\🌀"]', '["\\"]', '["\\u00A"]', '["\\uD834\\uDd"]', '["\\uD800\\uD800\\x"]', '["\\a"]', '["\\uqqqq"]',
  '[\\u0020"asd"]', "[\\n]", '"', "['single quote']", "abc", '["\\', '["a\0a"]', '["new\nline"]', '["\t"]', '"\\UA66D"', '""x', "<.>", "[<null>]",
  "[1]x", "[1]]", "aå", "[True]", "1]", '{"x": true,', "[][]", "]", "\xef\xbb{}", "å", "[", "\0", '{"":', '{"a":/*comment*/"b"}', '{"a": true} "x"',
  "['", "[,", "[{", '["a', '["a"', "{", "{]", "{,", "{[", "{'a'", '["\\{["\\{["\\{["\\{', "*", '{"a":"b"}#{}', "[\\u000A\"\"]",
  '{"asd":"asd"', "\u{2060}", "[\f]", "[\v]", "[⁠]", "\u{a0}1", "123\0", "--1", "- 1", "00", "1e", "0.", "",
}) do
  local ok, err = pcall(json.parse, text)
  assert.eq(ok, false, string.format("%q", text))
  assert.eq(err.kind, "syntax", string.format("%q", text))
  assert.matches(err.message, "^json%.parse: line %d+, column %d+: ")
end

-- i: ours to decide. Strings must be UTF-8 and numbers must be exact or finite; nothing is replaced.
for _, text in ipairs({
  '["\\uD888\\u1234"]', '["\\ud800"]', '["\\uDFAA"]', '["\\uDd1e\\uD834"]', '["\\ud800abc"]', '["\xff"]', '["\xe0\xff"]', '["\xc0\xaf"]',
  '["\xed\xa0\x80"]', '["\xf4\xbf\xbf\xbf"]', '["\x81"]', '["\xe6\x97\xa5\xd1\x88\xfa"]', '["é\xff plain ASCII behind it"]', '{"\xff":1}', '["\\n\xff"]',
  "[1e400]", "[-1e9999]", "[123123e100000]", "[9223372036854775808]", "[-9223372036854775809]",
  "[100000000000000000000]", "[-237462374673276894279832749832423479823246327846]", "\xef\xbb\xbf{}", "\xff\xfe[\0]\0",
}) do
  assert.eq(pcall(json.parse, text), false, string.format("%q", text))
end
same("[123.456e-789]", { 0.0 })

-- Places count bytes from one.
for _, case in ipairs({
  { "[1,\n 2,\n  x]", "line 3, column 3: unexpected text near `x]`" },
  { '{"a" 1}', "line 1, column 6: unexpected text near `1}`" },
  { "[1", "line 1, column 3: unexpected end of the text" },
  { '"abc', "line 1, column 5: unexpected end of the text" },
  { '"a\nb"', "line 1, column 3: a control character in a string near" },
  { "[01]", "line 1, column 3: unexpected text near `1]`" },
  { "1 2", "line 1, column 3: more text after the value near `2`" },
  { "[-]", "line 1, column 3: a malformed number near `]`" },
  { '"\\q"', "line 1, column 3: a malformed escape in a string near" },
}) do
  local _, err = pcall(json.parse, case[1])
  assert.contains(err.message, case[2])
end
