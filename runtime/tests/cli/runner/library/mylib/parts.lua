return "of mylib"
