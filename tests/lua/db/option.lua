-- exit: 1
-- error: max_conections
global db

db.connect("sqlite::memory:", { max_conections = 1 })
