-- trusted
-- args: --allow-read=$DIR/allowed
-- package.path, package.preload and searchers as ways to read files.
package.path = arg[1] .. "/?;/etc/?"
assert(not pcall(require, "secret"))
assert(not pcall(require, "passwd"))
assert(type(package.searchers[2]("passwd")) == "string")
package.cpath = arg[1] .. "/?"
assert(not select(2, pcall(require, "secret")).message:find("C module"))
assert(package.searchpath == nil and package.loadlib == nil)
print("held")
