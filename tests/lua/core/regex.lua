global assert, regex

assert.eq(regex.match("abc123", [[\d+$]]), true)
assert.eq(regex.match([[\d+$]], "abc123"), false)

local found = regex.find("on 2026-11-22", [[(?P<year>\d+)-(\d+)(x)?-(\d+)]])
assert.eq(found.match, "2026-11-22")
assert.eq(found.groups[1], "2026")
assert.eq(found.groups.year, "2026")
assert.eq(found.groups[2], "11")
assert.eq(found.groups[3], nil)
assert.eq(found.groups[4], "22")
assert.eq(regex.find("none", [[\d]]), nil)

local all = regex.find_all("a1 b22", [[([a-z])(\d+)]])
assert.eq(all, {
  { match = "a1", groups = { "a", "1" } },
  { match = "b22", groups = { "b", "22" } },
})
assert.eq(#regex.find_all("abc", "x"), 0)

assert.eq(regex.replace("a-b c-d", [[(\w)-(\w)]], "$2-$1"), "b-a d-c")
assert.eq(regex.replace("10", [[\d+]], "$$${0}"), "$10")

-- Bytes, not text.
assert.eq(regex.find("\xff=\0\xfe;", "=(.+);").groups[1], "\0\xfe")
assert.eq(regex.replace("\xffa\xfe", "a", "\xfd"), "\xff\xfd\xfe")

-- Exponential in engines that backtrack.
assert.eq(regex.match(("a"):rep(10000), "(a+)+$b"), false)
