-- exit: 1
-- error: time.rfc3339: argument 1: 1795309500000 is outside of the years 0 to 9999
-- hint: the unit is seconds, not milliseconds
global time

time.rfc3339(1795309500000)
