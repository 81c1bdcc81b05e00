//! `json`: between text and the Lua stack, with no tree between.
//!
//! RFC 8259, strictly: no comments, no trailing commas, one value. Integers are exact up to `i64`;
//! what does not fit raises instead of being rounded.

use std::borrow::Cow;
use std::ffi::c_int;

use assay_plugin::Error;

use super::bridge::{ARRAY, OBJECT, is_marked, is_sequence};
use super::native::{Frame, Native};
use super::state::Vm;
use super::{errors, ffi, lua_State};

/// How deep values may nest, both ways.
const MAX_DEPTH: usize = 256;

pub(crate) static FUNCTIONS: &[Native] = &[
    Native {
        family: "json",
        name: c"parse",
        run: parse,
    },
    Native {
        family: "json",
        name: c"encode",
        run: encode,
    },
    Native {
        family: "json",
        name: c"array",
        run: array,
    },
    Native {
        family: "json",
        name: c"object",
        run: object,
    },
];

/// Makes the marks, and what `json.null` looks like. Raises.
pub(crate) unsafe fn install(state: *mut lua_State) {
    unsafe extern "C-unwind" fn null(state: *mut lua_State) -> c_int {
        // SAFETY: called by Lua.
        unsafe {
            ffi::lua_pushstring(
                state,
                match ffi::lua_touserdata(state, 1).is_null() {
                    true => c"null".as_ptr(),
                    false => c"lightuserdata".as_ptr(),
                },
            );
        }
        1
    }
    // SAFETY: called protected, when the VM is made.
    unsafe {
        for (key, name) in [(&ARRAY, c"json.array"), (&OBJECT, c"json.object")] {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushstring(state, name.as_ptr());
            ffi::lua_setfield(state, -2, c"__name".as_ptr());
            ffi::lua_rawsetp(
                state,
                ffi::LUA_REGISTRYINDEX,
                std::ptr::from_ref(key).cast(),
            );
        }
        ffi::lua_pushlightuserdata(state, std::ptr::null_mut());
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushcfunction(state, null);
        ffi::lua_setfield(state, -2, c"__tostring".as_ptr());
        ffi::lua_setmetatable(state, -2);
        ffi::lua_pop(state, 1);
    }
}

// ---- parse ----

/// A parse: plain data, so that Lua may raise across it when memory runs out.
struct Parser<'a> {
    state: *mut lua_State,
    text: &'a [u8],
    at: usize,
    keep_null: bool,
    /// The VM's buffer, for strings with escapes.
    buffer: *mut Vec<u8>,
    fault: Fault,
}

#[derive(Clone, Copy)]
enum Fault {
    None,
    End,
    Unexpected,
    Depth,
    Number,
    Integer,
    Escape,
    Surrogate,
    Control,
    Trailing,
    Utf8,
    Stack,
}

unsafe fn parse(frame: &Frame<'_>) -> Result<c_int, Error> {
    let text = frame.bytes(1)?;
    // SAFETY: as the frame's.
    let keep_null = unsafe { frame.option_bool(2, &["null"], c"null")? };
    let mut parser = Parser {
        state: frame.state,
        text,
        at: 0,
        keep_null,
        buffer: frame.vm.inner().buffer.get(),
        fault: Fault::None,
    };
    // SAFETY: the frame's state; the parser owns nothing, so a raise in it is caught here with
    // nothing lost.
    unsafe {
        let job: *mut Parser<'_> = &mut parser;
        ffi::lua_pushcfunction(frame.state, parse_job);
        ffi::lua_pushlightuserdata(frame.state, job.cast());
        if ffi::lua_pcall(frame.state, 1, 1, 0) != ffi::LUA_OK {
            return Err(errors::out_of_memory(frame.vm));
        }
    }
    trim_buffer(frame.vm);
    match parser.fault {
        Fault::None => Ok(1),
        fault => Err(explain(fault, text, parser.at)),
    }
}

unsafe extern "C-unwind" fn parse_job(state: *mut lua_State) -> c_int {
    // SAFETY: called protected by `parse`.
    unsafe {
        let parser = &mut *ffi::lua_touserdata(state, 1).cast::<Parser<'_>>();
        parser.state = state;
        parser.skip_space();
        if parser.value(0) {
            parser.skip_space();
            if parser.at < parser.text.len() {
                parser.fault = Fault::Trailing;
            }
        }
        ffi::lua_settop(state, 2);
    }
    1
}

fn explain(fault: Fault, text: &[u8], at: usize) -> Error {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
    let near =
        String::from_utf8_lossy(&text[at.min(text.len())..(at + 20).min(text.len())]).into_owned();
    let what = match fault {
        Fault::End => "unexpected end of the text".to_owned(),
        Fault::Depth => format!("nested deeper than {MAX_DEPTH}"),
        Fault::Number => "a malformed number".to_owned(),
        Fault::Integer => "an integer beyond 64 bits, which would be rounded".to_owned(),
        Fault::Escape => "a malformed escape in a string".to_owned(),
        Fault::Surrogate => "half of a surrogate pair in a string".to_owned(),
        Fault::Control => "a control character in a string".to_owned(),
        Fault::Trailing => "more text after the value".to_owned(),
        Fault::Utf8 => "bytes that are not UTF-8 in a string".to_owned(),
        Fault::Stack => "the Lua stack is full".to_owned(),
        Fault::Unexpected | Fault::None => "unexpected text".to_owned(),
    };
    let near = if near.is_empty() {
        String::new()
    } else {
        format!(" near `{}`", near.escape_debug())
    };
    let error = Error::new(
        "syntax",
        format!("line {line}, column {column}: {what}{near}"),
    );
    match fault {
        Fault::Integer => error.hint("have the sender write it as a string"),
        _ => error,
    }
}

impl Parser<'_> {
    fn fail(&mut self, fault: Fault) -> bool {
        self.fault = fault;
        false
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return true;
        }
        self.fail(if word.starts_with(&self.text[self.at..]) {
            Fault::End
        } else {
            Fault::Unexpected
        })
    }

    /// Parses a value and pushes it. Raises on lack of memory only.
    unsafe fn value(&mut self, depth: usize) -> bool {
        // SAFETY: an open state in protected mode; room is made at each level.
        unsafe {
            match self.text.get(self.at) {
                None => self.fail(Fault::End),
                Some(b'{') => self.object(depth),
                Some(b'[') => self.array(depth),
                Some(b'"') => self.string(),
                Some(b't') => {
                    ffi::lua_pushboolean(self.state, 1);
                    self.word(b"true")
                }
                Some(b'f') => {
                    ffi::lua_pushboolean(self.state, 0);
                    self.word(b"false")
                }
                Some(b'n') => {
                    if self.keep_null {
                        ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut());
                    } else {
                        ffi::lua_pushnil(self.state);
                    }
                    self.word(b"null")
                }
                Some(b'-' | b'0'..=b'9') => self.number(),
                Some(_) => self.fail(Fault::Unexpected),
            }
        }
    }

    unsafe fn room(&mut self, depth: usize) -> bool {
        if depth >= MAX_DEPTH {
            return self.fail(Fault::Depth);
        }
        // SAFETY: an open state.
        if unsafe { ffi::lua_checkstack(self.state, 6) } == 0 {
            return self.fail(Fault::Stack);
        }
        true
    }

    unsafe fn object(&mut self, depth: usize) -> bool {
        // SAFETY: as `value`'s.
        unsafe {
            if !self.room(depth) {
                return false;
            }
            self.at += 1;
            ffi::lua_createtable(self.state, 0, 4);
            self.skip_space();
            if self.text.get(self.at) == Some(&b'}') {
                self.at += 1;
                return true;
            }
            loop {
                match self.text.get(self.at) {
                    Some(b'"') => {}
                    None => return self.fail(Fault::End),
                    Some(_) => return self.fail(Fault::Unexpected),
                }
                if !self.string() {
                    return false;
                }
                self.skip_space();
                if self.text.get(self.at) != Some(&b':') {
                    return self.fail(if self.at >= self.text.len() {
                        Fault::End
                    } else {
                        Fault::Unexpected
                    });
                }
                self.at += 1;
                self.skip_space();
                if !self.value(depth + 1) {
                    return false;
                }
                // A null removes an earlier duplicate: the last one wins.
                ffi::lua_rawset(self.state, -3);
                self.skip_space();
                match self.text.get(self.at) {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        return true;
                    }
                    None => return self.fail(Fault::End),
                    Some(_) => return self.fail(Fault::Unexpected),
                }
                self.skip_space();
            }
        }
    }

    unsafe fn array(&mut self, depth: usize) -> bool {
        // SAFETY: as `value`'s.
        unsafe {
            if !self.room(depth) {
                return false;
            }
            self.at += 1;
            ffi::lua_createtable(self.state, 4, 0);
            super::bridge::mark(self.state, &ARRAY);
            self.skip_space();
            if self.text.get(self.at) == Some(&b']') {
                self.at += 1;
                return true;
            }
            let mut index = 1;
            loop {
                if !self.value(depth + 1) {
                    return false;
                }
                ffi::lua_rawseti(self.state, -2, index);
                index += 1;
                self.skip_space();
                match self.text.get(self.at) {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        return true;
                    }
                    None => return self.fail(Fault::End),
                    Some(_) => return self.fail(Fault::Unexpected),
                }
                self.skip_space();
            }
        }
    }

    unsafe fn number(&mut self) -> bool {
        let start = self.at;
        let digits = |this: &mut Self| {
            let from = this.at;
            while this.text.get(this.at).is_some_and(u8::is_ascii_digit) {
                this.at += 1;
            }
            this.at > from
        };
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            _ if digits(self) => {}
            _ => return self.fail(Fault::Number),
        }
        let mut integer = true;
        if self.text.get(self.at) == Some(&b'.') {
            integer = false;
            self.at += 1;
            if !digits(self) {
                return self.fail(Fault::Number);
            }
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            if !digits(self) {
                return self.fail(Fault::Number);
            }
        }
        // ASCII by now.
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        // SAFETY: room for one value.
        unsafe {
            if integer {
                let Ok(int) = text.parse() else {
                    self.at = start;
                    return self.fail(Fault::Integer);
                };
                // Minus zero is a float.
                if int == 0 && text.starts_with('-') {
                    ffi::lua_pushnumber(self.state, -0.0);
                } else {
                    ffi::lua_pushinteger(self.state, int);
                }
            } else {
                match text.parse::<f64>() {
                    Ok(float) if float.is_finite() => ffi::lua_pushnumber(self.state, float),
                    _ => {
                        self.at = start;
                        return self.fail(Fault::Number);
                    }
                }
            }
        }
        true
    }

    unsafe fn string(&mut self) -> bool {
        self.at += 1;
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                None => return self.fail(Fault::End),
                Some(b'"') => break,
                Some(b'\\') => {
                    // SAFETY: as `value`'s.
                    return unsafe { self.escaped(start) };
                }
                Some(0..0x20) => return self.fail(Fault::Control),
                Some(_) => self.at += 1,
            }
        }
        let bytes = &self.text[start..self.at];
        self.at += 1;
        // SAFETY: room for one value.
        unsafe { self.push_string(bytes.as_ptr(), bytes.len()) }
    }

    unsafe fn push_string(&mut self, ptr: *const u8, len: usize) -> bool {
        // SAFETY: the bytes are the text's or the buffer's, which Lua does not touch.
        unsafe {
            if std::str::from_utf8(std::slice::from_raw_parts(ptr, len)).is_err() {
                return self.fail(Fault::Utf8);
            }
            ffi::lua_pushlstring(self.state, ptr.cast(), len);
        }
        true
    }

    unsafe fn escaped(&mut self, start: usize) -> bool {
        // SAFETY: the VM's buffer, which nobody else uses during this call.
        let buffer = unsafe { &mut *self.buffer };
        buffer.clear();
        buffer.extend_from_slice(&self.text[start..self.at]);
        loop {
            match self.text.get(self.at) {
                None => return self.fail(Fault::End),
                Some(b'"') => {
                    self.at += 1;
                    let (ptr, len) = (buffer.as_ptr(), buffer.len());
                    // SAFETY: as `string`'s.
                    return unsafe { self.push_string(ptr, len) };
                }
                Some(0..0x20) => return self.fail(Fault::Control),
                Some(b'\\') => {
                    self.at += 1;
                    let byte = match self.text.get(self.at) {
                        Some(b'"') => b'"',
                        Some(b'\\') => b'\\',
                        Some(b'/') => b'/',
                        Some(b'b') => 8,
                        Some(b'f') => 12,
                        Some(b'n') => b'\n',
                        Some(b'r') => b'\r',
                        Some(b't') => b'\t',
                        Some(b'u') => {
                            self.at += 1;
                            let Some(char) = self.unicode() else {
                                return false;
                            };
                            buffer.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                            continue;
                        }
                        None => return self.fail(Fault::End),
                        Some(_) => return self.fail(Fault::Escape),
                    };
                    buffer.push(byte);
                    self.at += 1;
                }
                Some(&byte) => {
                    buffer.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        let code = match first {
            0xd800..0xdc00 => {
                if !self.text[self.at..].starts_with(b"\\u") {
                    self.fail(Fault::Surrogate);
                    return None;
                }
                self.at += 2;
                let second = self.hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    self.fail(Fault::Surrogate);
                    return None;
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        let char = char::from_u32(code);
        if char.is_none() {
            self.fail(Fault::Surrogate);
        }
        char
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits.and_then(|digits| std::str::from_utf8(digits).ok()) else {
            self.fail(Fault::Escape);
            return None;
        };
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

// ---- encode ----

unsafe fn encode(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: as the frame's; the buffer is the VM's, and no Lua code runs during an encode.
    unsafe {
        let pretty = frame.option_bool(2, &["pretty"], c"pretty")?;
        if frame.nargs == 0 {
            return Err(frame.expected(1, "a value"));
        }
        let buffer = &mut *frame.vm.inner().buffer.get();
        buffer.clear();
        let mut encoder = Encoder {
            state: frame.state,
            out: buffer,
            pretty,
            path: Vec::new(),
        };
        encoder.value(1, 0)?;
        frame.push_bytes(buffer)?;
        trim_buffer(frame.vm);
    }
    Ok(1)
}

/// One large value must not hold its memory for ever.
fn trim_buffer(vm: &Vm) {
    // SAFETY: the VM's thread, outside of any use.
    let buffer = unsafe { &mut *vm.inner().buffer.get() };
    if buffer.capacity() > 64 * 1024 {
        *buffer = Vec::new();
    }
}

struct Encoder<'a> {
    state: *mut lua_State,
    out: &'a mut Vec<u8>,
    pretty: bool,
    /// Where we are, for errors.
    path: Vec<Key>,
}

#[derive(Clone, Copy)]
enum Key {
    Index(usize),
    /// Alive while the object is written.
    Name(*const [u8]),
}

impl Encoder<'_> {
    fn error(&self, message: String) -> Error {
        let path: Vec<_> = self
            .path
            .iter()
            .map(|key| match key {
                Key::Index(index) => index.to_string(),
                // SAFETY: names are popped before their object is left.
                Key::Name(name) => unsafe { String::from_utf8_lossy(&**name) }.into_owned(),
            })
            .collect();
        let at = if path.is_empty() {
            String::new()
        } else {
            format!(" at {}", path.join("."))
        };
        Error::new("value", format!("{message}{at}"))
    }

    /// Only raw access: runs no Lua code, raises nothing.
    unsafe fn value(&mut self, index: c_int, depth: usize) -> Result<(), Error> {
        let state = self.state;
        // SAFETY: an open state; the value is at an absolute index.
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TNIL => self.out.extend_from_slice(b"null"),
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(state, index).is_null() => {
                    self.out.extend_from_slice(b"null");
                }
                ffi::LUA_TBOOLEAN => {
                    let text: &[u8] = if ffi::lua_toboolean(state, index) != 0 {
                        b"true"
                    } else {
                        b"false"
                    };
                    self.out.extend_from_slice(text);
                }
                ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                    write_int(
                        self.out,
                        ffi::lua_tointegerx(state, index, std::ptr::null_mut()),
                    );
                }
                ffi::LUA_TNUMBER => {
                    let float = ffi::lua_tonumber(state, index);
                    if !float.is_finite() {
                        return Err(self.error(format!("{float} has no form in JSON")));
                    }
                    let mut text = format!("{float:?}");
                    // A float stays a float for readers that tell them apart, as in Lua.
                    if !text.contains(['.', 'e']) {
                        text.push_str(".0");
                    }
                    self.out.extend_from_slice(text.as_bytes());
                }
                ffi::LUA_TSTRING => {
                    let bytes = string_at(state, index);
                    if !write_string(self.out, bytes) {
                        return Err(self
                            .error("a string that is not UTF-8".into())
                            .hint("encode binary data first: base64.encode(data)"));
                    }
                }
                ffi::LUA_TTABLE => return self.table(index, depth),
                kind => {
                    let name =
                        std::ffi::CStr::from_ptr(ffi::lua_typename(state, kind)).to_string_lossy();
                    return Err(self.error(format!("a {name} has no form in JSON")));
                }
            }
        }
        Ok(())
    }

    unsafe fn table(&mut self, index: c_int, depth: usize) -> Result<(), Error> {
        let state = self.state;
        // SAFETY: as `value`'s.
        unsafe {
            if depth >= MAX_DEPTH || ffi::lua_checkstack(state, 6) == 0 {
                self.path.clear();
                return Err(self.error(format!(
                    "a table nested deeper than {MAX_DEPTH}, or one that contains itself"
                )));
            }
            let len = ffi::lua_rawlen(state, index);
            let array = match len {
                0 => {
                    ffi::lua_pushnil(state);
                    let empty = ffi::lua_next(state, index) == 0;
                    if !empty {
                        ffi::lua_pop(state, 2);
                    }
                    empty && is_marked(state, index, &ARRAY)
                }
                len => is_sequence(state, index, len) || is_marked(state, index, &ARRAY),
            };
            if array {
                self.array(index, len, depth)
            } else {
                self.object(index, depth)
            }
        }
    }

    unsafe fn array(&mut self, index: c_int, len: usize, depth: usize) -> Result<(), Error> {
        self.out.push(b'[');
        for at in 1..=len {
            if at > 1 {
                self.out.push(b',');
            }
            self.line(depth + 1);
            self.path.push(Key::Index(at));
            // SAFETY: as `value`'s.
            unsafe {
                ffi::lua_rawgeti(self.state, index, at as ffi::lua_Integer);
                self.value(ffi::lua_gettop(self.state), depth + 1)?;
                ffi::lua_pop(self.state, 1);
            }
            self.path.pop();
        }
        if len > 0 {
            self.line(depth);
        }
        self.out.push(b']');
        Ok(())
    }

    unsafe fn object(&mut self, index: c_int, depth: usize) -> Result<(), Error> {
        let state = self.state;
        // SAFETY: as `value`'s. The keys stay on the stack until all is written, so nothing is
        // allocated, collected or raised meanwhile.
        unsafe {
            let top = ffi::lua_gettop(state);
            let mut keys: Vec<(Cow<'_, [u8]>, c_int)> = Vec::new();
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, index) != 0 {
                ffi::lua_pop(state, 1);
                let at = ffi::lua_gettop(state);
                let name = match ffi::lua_type(state, at) {
                    ffi::LUA_TSTRING => Cow::Borrowed(string_at(state, at)),
                    ffi::LUA_TNUMBER if ffi::lua_isinteger(state, at) != 0 => {
                        let int = ffi::lua_tointegerx(state, at, std::ptr::null_mut());
                        Cow::Owned(int.to_string().into_bytes())
                    }
                    kind => {
                        let name = std::ffi::CStr::from_ptr(ffi::lua_typename(state, kind))
                            .to_string_lossy();
                        return Err(self.error(format!("a key of type {name} has no form in JSON")));
                    }
                };
                keys.push((name, at));
                if ffi::lua_checkstack(state, 8) == 0 {
                    return Err(self.error(format!("an object of more than {} keys", keys.len())));
                }
                ffi::lua_pushvalue(state, at);
            }
            keys.sort_unstable();
            if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                let name = String::from_utf8_lossy(&pair[0].0).into_owned();
                return Err(self.error(format!("the keys {name} and \"{name}\" would be the same")));
            }
            self.out.push(b'{');
            for (at, (name, key)) in keys.iter().enumerate() {
                if at > 0 {
                    self.out.push(b',');
                }
                self.key(name, depth)?;
                ffi::lua_pushvalue(state, *key);
                ffi::lua_rawget(state, index);
                self.path.push(Key::Name(std::ptr::from_ref::<[u8]>(name)));
                self.value(ffi::lua_gettop(state), depth + 1)?;
                self.path.pop();
                ffi::lua_pop(state, 1);
            }
            if !keys.is_empty() {
                self.line(depth);
            }
            self.out.push(b'}');
            ffi::lua_settop(state, top);
        }
        Ok(())
    }

    fn key(&mut self, key: &[u8], depth: usize) -> Result<(), Error> {
        self.line(depth + 1);
        if !write_string(self.out, key) {
            return Err(self.error("a key that is not UTF-8".into()));
        }
        self.out
            .extend_from_slice(if self.pretty { b": " } else { b":" });
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if self.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * depth, b' ');
        }
    }
}

unsafe fn string_at<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: a string is at the index, and is kept alive by the caller's table or stack.
    unsafe {
        let mut len = 0;
        let bytes = ffi::lua_tolstring(state, index, &mut len);
        std::slice::from_raw_parts(bytes.cast(), len)
    }
}

fn write_int(out: &mut Vec<u8>, int: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = int.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if int < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a JSON string; false when the bytes are not UTF-8.
pub(crate) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    if std::str::from_utf8(bytes).is_err() {
        return false;
    }
    out.push(b'"');
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            8 => b"\\b",
            12 => b"\\f",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        if short.is_empty() {
            out.extend_from_slice(b"\\u00");
            out.push(b"0123456789abcdef"[(byte >> 4) as usize]);
            out.push(b"0123456789abcdef"[(byte & 15) as usize]);
        } else {
            out.extend_from_slice(short);
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
    true
}

// ---- shapes ----

unsafe fn array(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: as the frame's.
    unsafe { marked(frame, &ARRAY) }
}

unsafe fn object(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: as the frame's.
    unsafe { marked(frame, &OBJECT) }
}

/// The table (a new one without an argument) with a mark.
unsafe fn marked(frame: &Frame<'_>, key: &'static u8) -> Result<c_int, Error> {
    // SAFETY: as the frame's; making a table is protected by `push_value`.
    unsafe {
        if frame.is_none_or_nil(1) {
            ffi::lua_settop(frame.state, 0);
            let empty: Vec<assay_plugin::Value> = Vec::new();
            if !super::bridge::push_value(frame.state, frame.vm, &empty, None) {
                return Err(errors::out_of_memory(frame.vm));
            }
        } else if ffi::lua_istable(frame.state, 1) == 0 {
            return Err(frame.expected(1, "table"));
        }
        ffi::lua_settop(frame.state, 1);
        super::bridge::mark(frame.state, key);
    }
    Ok(1)
}
