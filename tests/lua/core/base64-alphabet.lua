-- exit: 1
-- error: base64.decode: unexpected `-` at offset 0
-- hint: for the URL-safe alphabet use base64.url_decode
global base64

base64.decode("-__-_w==")
