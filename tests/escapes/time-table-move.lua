-- Moving elements that are not there.
-- ends: ran longer than
table.move({}, 1, 1 << 60, 2)
