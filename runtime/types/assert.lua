---@meta

---Lua's own `assert`, and comparisons whose failures show both values. They raise the kind `assertion`;
---a message of yours stands before it.
---@class assert
---@overload fun<T>(value: T, message?: any, ...: any): std.NotNull<T>, any, ...
local Assert = {}

---Equal; tables by what is in them.
---@param left any
---@param right any
---@param message? any
function Assert.eq(left, right, message) end

---Not equal; tables by what is in them.
---@param left any
---@param right any
---@param message? any
function Assert.ne(left, right, message) end

---`left > right`
---@param left any
---@param right any
---@param message? any
function Assert.gt(left, right, message) end

---`left < right`
---@param left any
---@param right any
---@param message? any
function Assert.lt(left, right, message) end

---The text has the part in it, as it is (no pattern).
---@param text string
---@param part string
---@param message? any
function Assert.contains(text, part, message) end

---Anything but nil; false is fine.
---@param value any
---@param message? any
function Assert.not_nil(value, message) end

---A Lua pattern is found in the text.
---@param text string
---@param pattern string
---@param message? any
function Assert.matches(text, pattern, message) end

---The function raises, and the text of the error matches the Lua pattern. Returns the error, as it was raised.
---@param fn fun()
---@param pattern? string
---@return any error
function Assert.raises(fn, pattern) end

assert = Assert
