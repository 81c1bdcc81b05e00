-- exit: 1
-- error: template.render_string: <string>:2: `user.nmae` is undefined: Dear {{ user.nmae }},
-- hint: did you mean `name`?
global template

template.render_string("\nDear {{ user.nmae }},", { user = { name = "you" } }, { strict = true })
