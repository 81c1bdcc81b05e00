local m = require("parts.broken")
print(m)
