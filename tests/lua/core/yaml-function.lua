-- exit: 1
-- error: yaml.encode: cannot encode a function at `a[2].b`
global yaml

yaml.encode({ a = { 1, { b = function() end } } })
