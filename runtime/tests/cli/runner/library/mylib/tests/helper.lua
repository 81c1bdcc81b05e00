return { name = "helper beside the test" }
