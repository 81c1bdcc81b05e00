-- A script that ends with rows being read ends.
global db

local conn = db.connect("sqlite::memory:")
local rows = conn:each("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n")
rows()
