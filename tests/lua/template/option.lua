-- exit: 1
-- error: template.render_string: argument 3: unknown option `filter`
-- hint: did you mean `filters`?
global template

template.render_string("", {}, { filter = {} })
