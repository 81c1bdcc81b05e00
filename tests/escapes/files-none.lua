-- There are no files without a list.
assert(fs == nil and io == nil)
print("held")
