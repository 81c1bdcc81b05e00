-- exit: 1
-- error: template.render_string: <string>:2: no such currency: XYZ
-- hint: there is EUR
global template, error

template.render_string("prices:\n{{ 1|money('XYZ') }}", {}, {
  filters = {
    money = function(_, currency)
      error({ kind = "currency", message = "no such currency: " .. currency, hint = "there is EUR" })
    end,
  },
})
