-- trusted
-- args: --allow-read=$DIR/allowed
-- package.path, package.preload and searchers as ways to read files.
package.path = arg[1] .. "/?;/etc/?"
assert(not pcall(require, "secret"))
assert(not pcall(require, "passwd"))
assert(package.searchpath == nil and package.loadlib == nil)
print("held")
