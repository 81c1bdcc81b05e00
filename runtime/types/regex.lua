---@meta

---Regular expressions in the syntax of Rust's regex crate: no look-around and no back-references, hence
---no pattern that runs away. `\d`, `\w`, `\b` and `(?i)` know ASCII only. Text is any bytes: what is no
---UTF-8 is matched by `.` and by `[^x]`, one byte each. Patterns are UTF-8. Compiled patterns are cached.
---
---A wrong pattern raises `argument` and says where it is wrong.
---@class regex
regex = {}

---@class (exact) regex.Match
---@field match string all that matched
---@field groups table<integer|string, string> by number from 1, and by name; a group that took no part is absent

---Whether the pattern is found anywhere in the text. `^` and `$` tie it to the ends.
---@param text string any bytes
---@param pattern string
---@return boolean
function regex.match(text, pattern) end

---The first match, or nil.
---@param text string any bytes
---@param pattern string
---@return regex.Match?
function regex.find(text, pattern) end

---All matches that do not overlap, in order. More than 1,000,000 raise `size`.
---@param text string any bytes
---@param pattern string
---@return regex.Match[]
function regex.find_all(text, pattern) end

---Replaces all matches. In the replacement `$1` and `$name` are groups (`${1}` before a letter or digit),
---`$0` is the match, `$$` is `$`. A group that took no part is empty.
---
---Raises `argument` for a group that the pattern does not have.
---@param text string any bytes
---@param pattern string
---@param replacement string any bytes
---@return string
function regex.replace(text, pattern, replacement) end
