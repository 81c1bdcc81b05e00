-- exit: 1
-- error: time.parse: expected RFC 3339 such as 2026-01-31T12:00:00Z, got "2026-02-29T12:00:00Z"
global time

time.parse("2026-02-29T12:00:00Z")
