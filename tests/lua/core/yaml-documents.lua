global assert, pcall, yaml

local documents = yaml.parse_all("---\na: 1\n---\n# empty\n---\n- b\n...\n---\n")
assert.eq(documents, { { a = 1 }, { "b" } })
assert.eq(#yaml.parse_all(""), 0)

local ok, err = pcall(yaml.parse, "a\n---\nb\n")
assert.eq(ok, false)
assert.eq(err.message, "yaml.parse: expected one document, got 2")
assert.eq(err.hint, "yaml.parse_all reads them all")
