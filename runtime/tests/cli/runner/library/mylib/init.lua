return { answer = 42, parts = require("assay.mylib.parts") }
