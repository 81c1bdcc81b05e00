---@meta

---Waits that many seconds, with fractions. Other coroutines run meanwhile.
---
---Raises `argument` for negative numbers, for `0/0` and for more than 100 years.
---@param seconds number
function sleep(seconds) end
