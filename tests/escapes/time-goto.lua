-- A loop without a loop.
-- ends: ran longer than
::top:: goto top
