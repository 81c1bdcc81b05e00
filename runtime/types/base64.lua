---@meta

---Base64 of any bytes.
---@class base64
base64 = {}

---Encodes in the standard alphabet, padded.
---@param data string any bytes
---@return string text one line, however long
function base64.encode(data) end

---Decodes the standard alphabet, padded. Line breaks and blanks are skipped.
---
---Raises `syntax` for any other character (with its offset), for wrong padding and for text that is cut off.
---@param text string
---@return string data any bytes
function base64.decode(text) end

---Encodes in the URL-safe alphabet, without padding.
---@param data string any bytes
---@return string text
function base64.url_encode(data) end

---Decodes the URL-safe alphabet, with or without padding. Raises as `decode`.
---@param text string
---@return string data any bytes
function base64.url_decode(text) end
