-- exit: 1
-- error: toml.encode: cannot encode a null, which TOML does not have at `a.b`
global json, toml

toml.encode({ a = { b = json.null } })
