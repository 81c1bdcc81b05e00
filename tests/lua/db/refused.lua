-- exit: 1
-- error: db.connect: connect: connection refused (postgres://app@127.0.0.1:1/app)
global db

db.connect("postgres://app:secret@127.0.0.1:1/app")
