//! Values: views of what the other side lent, owned copies, and what goes back.

use std::borrow::Cow;
use std::marker::PhantomData;

use crate::abi::{BufHdr, BufVt, FuncHdr, ObjHdr, Record as RawRecord, Val, ValU, tag};
use crate::error::{Error, Result};
use crate::func::Func;
use crate::object::{AnyObject, Class};

/// How deep nested tables may be.
pub const MAX_DEPTH: usize = 200;

/// A value of the other side, valid for the call.
#[derive(Clone, Copy)]
pub struct View<'a> {
    val: &'a Val,
}

/// What a [`View`] shows.
pub enum Kind<'a> {
    /// Absence.
    Nil,
    /// `json.null` and its like.
    Null,
    /// A bool.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string: any bytes.
    Str(&'a [u8]),
    /// A sequence.
    List(Items<'a>),
    /// Any other table.
    Map(Pairs<'a>),
    /// An error record.
    Error(Pairs<'a>),
    /// An object.
    Object(AnyObject),
    /// A Lua function.
    Func(Func),
    /// A block of bytes.
    Buf(Buf),
}

impl<'a> View<'a> {
    /// For hosts: what a plugin lent.
    ///
    /// # Safety
    /// `val` and all that it points to must be valid for `'a`.
    pub unsafe fn new(val: &'a Val) -> Self {
        Self { val }
    }

    pub(crate) fn raw(self) -> &'a Val {
        self.val
    }

    /// The payload.
    ///
    /// # Errors
    /// For a tag that this kit does not know.
    pub fn kind(self) -> Result<Kind<'a>> {
        let Val { tag, len, u } = *self.val;
        // SAFETY: the tag says which field is set, and `new` was promised that it is valid.
        unsafe {
            Ok(match tag {
                tag::NIL => Kind::Nil,
                tag::NULL => Kind::Null,
                tag::BOOL => Kind::Bool(u.b != 0),
                tag::INT => Kind::Int(u.i),
                tag::FLOAT => Kind::Float(u.f),
                tag::STR => Kind::Str(slice(u.s, len as usize)),
                tag::LIST => Kind::List(Items {
                    items: slice(u.l, len as usize).iter(),
                }),
                tag::MAP => Kind::Map(Pairs {
                    items: slice(u.l, 2 * len as usize).chunks_exact(2),
                }),
                tag::ERROR => Kind::Error(Pairs {
                    items: slice(u.l, 2 * len as usize).chunks_exact(2),
                }),
                tag::RECORD => Kind::Map(Pairs {
                    items: slice((*u.r).pairs, 2 * len as usize).chunks_exact(2),
                }),
                tag::OBJECT => Kind::Object(AnyObject::retained(u.o)),
                tag::FUNC => Kind::Func(Func::retained(u.fun)),
                tag::BUF => Kind::Buf(Buf::retained(u.buf)),
                unknown => {
                    return Err(Error::argument(format!("a value of unknown tag {unknown}"))
                        .hint("the plugin is older than the runtime's values: update it"));
                }
            })
        }
    }

    /// What is an integer on the wire.
    #[inline]
    pub(crate) fn int(self) -> Option<i64> {
        match self.val.tag {
            // SAFETY: the tag says which field is set.
            tag::INT => Some(unsafe { self.val.u.i }),
            _ => None,
        }
    }

    /// Whether it is nil.
    pub fn is_nil(self) -> bool {
        self.val.tag == tag::NIL
    }

    /// The bytes of a string.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self.val.tag {
            // SAFETY: as in `kind`.
            tag::STR => Some(unsafe { slice(self.val.u.s, self.val.len as usize) }),
            // SAFETY: as in `kind`; the view keeps the buffer alive for 'a.
            tag::BUF => Some(unsafe { slice((*self.val.u.buf).ptr, (*self.val.u.buf).len) }),
            _ => None,
        }
    }

    /// An integer, or a float with an integral value.
    pub fn as_int(self) -> Option<i64> {
        match self.kind() {
            Ok(Kind::Int(int)) => Some(int),
            Ok(Kind::Float(float)) => integral(float),
            _ => None,
        }
    }

    /// The value under a key of a table.
    pub fn get(self, key: &str) -> Option<View<'a>> {
        match self.kind() {
            Ok(Kind::Map(mut pairs) | Kind::Error(mut pairs)) => pairs
                .find(|(k, _)| k.as_bytes() == Some(key.as_bytes()))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// What Lua calls its type.
    pub fn type_name(self) -> &'static str {
        match self.val.tag {
            tag::NIL => "nil",
            tag::NULL => "null",
            tag::BOOL => "boolean",
            tag::INT | tag::FLOAT => "number",
            tag::STR | tag::BUF => "string",
            tag::LIST | tag::MAP | tag::RECORD => "table",
            tag::ERROR => "error",
            tag::OBJECT => "userdata",
            tag::FUNC => "function",
            _ => "unknown",
        }
    }

    /// An owned copy.
    ///
    /// # Errors
    /// For tables nested deeper than [`MAX_DEPTH`] and unknown tags.
    pub fn to_value(self) -> Result<Value> {
        self.copy(MAX_DEPTH)
    }

    fn copy(self, depth: usize) -> Result<Value> {
        if depth == 0 {
            return Err(Error::argument(format!(
                "a table nested deeper than {MAX_DEPTH}"
            )));
        }
        Ok(match self.kind()? {
            Kind::Nil => Value::Nil,
            Kind::Null => Value::Null,
            Kind::Bool(bool) => Value::Bool(bool),
            Kind::Int(int) => Value::Int(int),
            Kind::Float(float) => Value::Float(float),
            Kind::Str(bytes) => Value::Bytes(bytes.to_vec()),
            Kind::List(items) => {
                Value::List(items.map(|v| v.copy(depth - 1)).collect::<Result<_>>()?)
            }
            Kind::Map(pairs) | Kind::Error(pairs) => Value::Map(
                pairs
                    .map(|(key, value)| Ok((key.copy(depth - 1)?, value.copy(depth - 1)?)))
                    .collect::<Result<_>>()?,
            ),
            Kind::Object(object) => Value::Object(object),
            Kind::Func(func) => Value::Func(func),
            Kind::Buf(buf) => Value::Buf(buf),
        })
    }
}

/// # Safety
/// `ptr` must be valid for `len` items for `'a`, unless it is null or `len` is 0.
unsafe fn slice<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    if len == 0 || ptr.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}

/// The integer that a float is, if it is one.
pub(crate) fn integral(float: f64) -> Option<i64> {
    const TWO_TO_63: f64 = (1_u64 << 63) as f64;
    (float.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&float)).then_some(float as i64)
}

/// The items of a sequence.
#[derive(Clone)]
pub struct Items<'a> {
    items: std::slice::Iter<'a, Val>,
}

impl Items<'_> {
    pub(crate) fn empty() -> Self {
        Self { items: [].iter() }
    }
}

impl Pairs<'_> {
    pub(crate) fn empty() -> Self {
        Self {
            items: [].chunks_exact(2),
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = View<'a>;
    fn next(&mut self) -> Option<View<'a>> {
        self.items.next().map(|val| View { val })
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl ExactSizeIterator for Items<'_> {}

/// The entries of a table.
#[derive(Clone)]
pub struct Pairs<'a> {
    items: std::slice::ChunksExact<'a, Val>,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (View<'a>, View<'a>);
    fn next(&mut self) -> Option<Self::Item> {
        self.items
            .next()
            .map(|pair| (View { val: &pair[0] }, View { val: &pair[1] }))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl ExactSizeIterator for Pairs<'_> {}

/// An owned value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absence.
    #[default]
    Nil,
    /// A null that stays visible.
    Null,
    /// A bool.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Bytes(Vec<u8>),
    /// A sequence.
    List(Vec<Value>),
    /// Any other table.
    Map(Vec<(Value, Value)>),
    /// An object.
    Object(AnyObject),
    /// A Lua function.
    Func(Func),
    /// A block of bytes.
    Buf(Buf),
}

impl Value {
    /// The text of a string that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The value under a key of a table.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(pairs) => pairs
                .iter()
                .find(|(k, _)| k.as_str() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

/// Where the parts of a value live until the other side has copied it.
#[derive(Default)]
pub struct Arena {
    /// Values of tables that are being filled, the innermost last.
    open: Vec<Val>,
    /// Values of whole tables. A chunk never grows beyond its capacity, so what points into it stays.
    tables: Vec<Vec<Val>>,
    bytes: Vec<Vec<u8>>,
    // Boxed, since values point to them.
    #[expect(clippy::vec_box)]
    records: Vec<Box<RawRecord>>,
    /// Values that others point into.
    adopted: Vec<Box<dyn IntoVal>>,
    depth: usize,
}

impl Arena {
    /// For hosts: keeps an array until the arena ends.
    pub fn values(&mut self, values: Vec<Val>) -> *const Val {
        let start = self.open.len();
        self.open.extend(values);
        self.close(start).as_ptr()
    }

    /// The array of what `fill` [puts](Self::put).
    pub(crate) fn table(&mut self, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<&[Val]> {
        let start = self.open.len();
        if let Err(error) = fill(self) {
            self.open.truncate(start);
            return Err(error);
        }
        Ok(self.close(start))
    }

    /// Adds to the table that is being filled.
    pub(crate) fn put(&mut self, value: &(impl IntoVal + ?Sized)) -> Result<()> {
        let val = value.to_val(self)?;
        self.push(val);
        Ok(())
    }

    /// As [`put`](Self::put), of what the arena keeps already.
    pub(crate) fn push(&mut self, val: Val) {
        if self.open.capacity() == 0 {
            self.open.reserve(64);
        }
        self.open.push(val);
    }

    /// Begins a table, to be [closed](Self::close).
    pub(crate) fn start(&self) -> usize {
        self.open.len()
    }

    /// Moves a table from the open values to the whole ones.
    pub(crate) fn close(&mut self, start: usize) -> &[Val] {
        let len = self.open.len() - start;
        let room = |chunk: &Vec<Val>| chunk.capacity() - chunk.len() >= len;
        if !self.tables.last().is_some_and(room) {
            // The first is enough for most results.
            let room = if self.tables.is_empty() { 64 } else { 512 };
            self.tables.push(Vec::with_capacity(len.max(room)));
        }
        let chunk = self.tables.last_mut().expect("just made sure of");
        let at = chunk.len();
        chunk.extend(self.open.drain(start..));
        &chunk[at..]
    }

    /// Copies a text that would not live long enough.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<Val> {
        let fits = self
            .bytes
            .last()
            .is_some_and(|chunk| chunk.capacity() - chunk.len() >= bytes.len());
        if !fits {
            self.bytes.push(Vec::with_capacity(bytes.len().max(1024)));
        }
        let chunk = self
            .bytes
            .last_mut()
            .expect("a chunk was just made sure of");
        let start = chunk.len();
        chunk.extend_from_slice(bytes);
        lend(&chunk[start..])
    }

    /// The wire form of a value that the arena keeps.
    ///
    /// # Errors
    /// The value's.
    pub fn own(&mut self, value: Box<dyn IntoVal>) -> Result<Val> {
        // The box's contents stay where they are when the box moves.
        let val = value.to_val(self)?;
        self.adopted.push(value);
        Ok(val)
    }

    fn record(&mut self, record: RawRecord) -> *const RawRecord {
        self.records.push(Box::new(record));
        &raw const **self.records.last().expect("just pushed")
    }

    pub(crate) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(
                "depth",
                format!("a value nested deeper than {MAX_DEPTH}"),
            ));
        }
        self.depth += 1;
        let start = self.open.len();
        let result = f(self);
        if result.is_err() {
            self.open.truncate(start);
        }
        self.depth -= 1;
        result
    }
}

pub(crate) fn lend(bytes: &[u8]) -> Result<Val> {
    let len = u32::try_from(bytes.len()).map_err(|_| {
        Error::new(
            "size",
            format!("a string of {} bytes (at most 4 GiB - 1)", bytes.len()),
        )
    })?;
    Ok(Val {
        tag: tag::STR,
        len,
        u: ValU { s: bytes.as_ptr() },
    })
}

/// What can be handed to the other side.
///
/// # Safety
/// The result may point only into `self`, `arena` and statics: the kit reads it while both live.
pub unsafe trait IntoVal {
    /// The wire form.
    ///
    /// # Errors
    /// For what has no wire form: integers beyond `i64`, strings of 4 GiB.
    fn to_val(&self, arena: &mut Arena) -> Result<Val>;

    /// The wire form of what needs no arena: most results are numbers.
    #[doc(hidden)]
    fn scalar(&self) -> Option<Val> {
        None
    }
}

macro_rules! into_val {
    ($($t:ty: |$self:ident, $arena:ident| $body:expr;)*) => { $(
        // SAFETY: points into `self` or the arena.
        unsafe impl IntoVal for $t {
            fn to_val(&self, $arena: &mut Arena) -> Result<Val> {
                let $self = self;
                $body
            }
        }
    )* };
}
macro_rules! scalar {
    ($($t:ty: |$self:ident| $body:expr;)*) => { $(
        // SAFETY: points nowhere.
        unsafe impl IntoVal for $t {
            fn to_val(&self, _: &mut Arena) -> Result<Val> {
                let $self = self;
                Ok($body)
            }
            #[inline]
            fn scalar(&self) -> Option<Val> {
                let $self = self;
                Some($body)
            }
        }
    )* };
}
scalar! {
    (): |_s| Val::NIL;
    bool: |s| Val::bool(*s);
    i64: |s| Val::int(*s);
    i32: |s| Val::int((*s).into());
    u32: |s| Val::int((*s).into());
    u16: |s| Val::int((*s).into());
    f64: |s| Val::float(*s);
}

into_val! {
    u64: |s, _a| int(*s);
    usize: |s, _a| int(*s as u64);
    str: |s, _a| lend(s.as_bytes());
    String: |s, _a| lend(s.as_bytes());
    [u8]: |s, _a| lend(s);
    Vec<u8>: |s, _a| lend(s);
    Bytes: |s, _a| lend(&s.0);
    Cow<'_, [u8]>: |s, _a| lend(s);
    Value: |s, a| match s {
        Value::Nil => Ok(Val::NIL),
        Value::Null => Ok(Val::NULL),
        Value::Bool(bool) => bool.to_val(a),
        Value::Int(int) => int.to_val(a),
        Value::Float(float) => float.to_val(a),
        Value::Bytes(bytes) => lend(bytes),
        Value::List(items) => items.to_val(a),
        Value::Map(pairs) => pairs.to_val(a),
        Value::Object(object) => object.to_val(a),
        Value::Func(func) => func.to_val(a),
        Value::Buf(buf) => buf.to_val(a),
    };
}

fn int(value: u64) -> Result<Val> {
    i64::try_from(value)
        .map(Val::int)
        .map_err(|_| Error::new("range", format!("{value} does not fit a Lua integer")))
}

fn map<'a, K: IntoVal + 'a, V: IntoVal + ?Sized + 'a>(
    pairs: impl Iterator<Item = (&'a K, &'a V)>,
    arena: &mut Arena,
) -> Result<Val> {
    arena.nested(|arena| {
        let values = arena.table(|arena| {
            for (key, value) in pairs {
                arena.put(key)?;
                arena.put(value)?;
            }
            Ok(())
        })?;
        Ok(table(tag::MAP, values))
    })
}

/// A table of a kind: items, or keys and values in turn.
pub(crate) fn table(kind: u32, values: &[Val]) -> Val {
    let len = match kind {
        tag::LIST => values.len(),
        _ => values.len() / 2,
    };
    Val {
        tag: kind,
        len: len as u32,
        u: ValU { l: values.as_ptr() },
    }
}

// SAFETY: as the item's.
unsafe impl<T: IntoVal + ?Sized> IntoVal for &T {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        (**self).to_val(arena)
    }
}

// SAFETY: as the item's.
unsafe impl<T: IntoVal> IntoVal for Option<T> {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        self.as_ref()
            .map_or(Ok(Val::NIL), |value| value.to_val(arena))
    }
}

// SAFETY: as the items'; the list is the arena's.
unsafe impl<T: IntoVal> IntoVal for Vec<T> {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        arena.nested(|arena| {
            let items = arena.table(|arena| self.iter().try_for_each(|item| arena.put(item)))?;
            Ok(table(tag::LIST, items))
        })
    }
}

// SAFETY: as the parts'; the table is the arena's.
unsafe impl<K: IntoVal, V: IntoVal> IntoVal for [(K, V)] {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        map(self.iter().map(|(key, value)| (key, value)), arena)
    }
}

/// Bytes inside option structs and results, where a `String` would have to be UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// A plain Lua table with the methods of a class.
pub struct Record<C: Class> {
    fields: Vec<(&'static str, Box<dyn IntoVal>)>,
    class: PhantomData<fn() -> C>,
}

impl<C: Class> Default for Record<C> {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            class: PhantomData,
        }
    }
}

impl<C: Class> Record<C> {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl IntoVal + 'static) -> Self {
        self.fields.push((name, Box::new(value)));
        self
    }
}

// SAFETY: as the fields'; the record is the arena's.
unsafe impl<C: Class> IntoVal for Record<C> {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        let fields = self.fields.iter();
        record::<C>(fields.map(|(name, value)| (*name, &**value)), arena)
    }
}

/// As a [`Record`], of fields that are lent for the call: for hot paths, since nothing is boxed.
pub struct Lent<'a, C: Class> {
    fields: &'a [(&'static str, &'a dyn IntoVal)],
    class: PhantomData<fn() -> C>,
}

impl<C: Class> Record<C> {
    /// A record of these fields.
    pub fn lend<'a>(fields: &'a [(&'static str, &'a dyn IntoVal)]) -> Lent<'a, C> {
        Lent {
            fields,
            class: PhantomData,
        }
    }
}

// SAFETY: as the fields'; the record is the arena's.
unsafe impl<C: Class> IntoVal for Lent<'_, C> {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        record::<C>(self.fields.iter().copied(), arena)
    }
}

fn record<'a, C: Class>(
    fields: impl ExactSizeIterator<Item = (&'static str, &'a dyn IntoVal)>,
    arena: &mut Arena,
) -> Result<Val> {
    let len = fields.len() as u32;
    let fields = arena.table(|arena| {
        for (name, value) in fields {
            arena.put(name)?;
            arena.put(value)?;
        }
        Ok(())
    })?;
    let record = RawRecord {
        class: C::class(),
        pairs: fields.as_ptr(),
    };
    Ok(Val {
        tag: tag::RECORD,
        len,
        u: ValU {
            r: arena.record(record),
        },
    })
}

/// A counted block of bytes: large bodies cross as one of these, without a copy.
pub struct Buf(*const BufHdr);

#[repr(C)]
struct OwnedBuf {
    header: BufHdr,
    count: std::sync::atomic::AtomicUsize,
    bytes: Vec<u8>,
}

static OWNED_BUF: BufVt = BufVt {
    size: size_of::<BufVt>() as u32,
    reserved: 0,
    retain: buf_retain,
    release: buf_release,
};

unsafe extern "C" fn buf_retain(buf: *const BufHdr) {
    // SAFETY: only ever called with the header of an `OwnedBuf`.
    let owned = unsafe { &*buf.cast::<OwnedBuf>() };
    owned
        .count
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
}

unsafe extern "C" fn buf_release(buf: *const BufHdr) {
    // SAFETY: as above.
    let owned = unsafe { &*buf.cast::<OwnedBuf>() };
    if owned
        .count
        .fetch_sub(1, std::sync::atomic::Ordering::AcqRel)
        == 1
    {
        // SAFETY: the last owner; it came from `Box::into_raw`.
        drop(unsafe { Box::from_raw(buf.cast::<OwnedBuf>().cast_mut()) });
    }
}

// SAFETY: the bytes do not change and the count is atomic.
unsafe impl Send for Buf {}
// SAFETY: as above.
unsafe impl Sync for Buf {}

impl Buf {
    /// Takes the bytes over; copies only when the vector has no byte to spare for the final zero.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.push(0);
        let (ptr, len) = (bytes.as_ptr(), bytes.len() - 1);
        let owned = Box::new(OwnedBuf {
            header: BufHdr {
                vt: &OWNED_BUF,
                ptr,
                len,
            },
            count: 1.into(),
            bytes,
        });
        debug_assert_eq!(owned.bytes.len(), len + 1);
        Self(Box::into_raw(owned).cast())
    }

    pub(crate) unsafe fn retained(buf: *const BufHdr) -> Self {
        // SAFETY: the caller's promise that it is a live buffer.
        unsafe { ((*(*buf).vt).retain)(buf) };
        Self(buf)
    }
}

impl std::ops::Deref for Buf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: alive and unchanging while counted.
        unsafe { slice((*self.0).ptr, (*self.0).len) }
    }
}

impl Clone for Buf {
    fn clone(&self) -> Self {
        // SAFETY: `self` counts.
        unsafe { Self::retained(self.0) }
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        // SAFETY: gives back what `self` counts.
        unsafe { ((*(*self.0).vt).release)(self.0) }
    }
}

impl std::fmt::Debug for Buf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buf({} bytes)", self.len())
    }
}

impl PartialEq for Buf {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

// SAFETY: the handle counts, and `self` outlives the use.
unsafe impl IntoVal for Buf {
    fn to_val(&self, _: &mut Arena) -> Result<Val> {
        Ok(Val {
            tag: tag::BUF,
            len: 0,
            u: ValU { buf: self.0 },
        })
    }
}

pub(crate) fn object_val(object: *const ObjHdr) -> Val {
    Val {
        tag: tag::OBJECT,
        len: 0,
        u: ValU { o: object },
    }
}

pub(crate) fn func_val(func: *const FuncHdr) -> Val {
    Val {
        tag: tag::FUNC,
        len: 0,
        u: ValU { fun: func },
    }
}

/// Fields of a log line as a map.
pub(crate) fn fields(fields: &[(&str, &dyn IntoVal)], arena: &mut Arena) -> Result<Val> {
    map(fields.iter().map(|(key, value)| (key, *value)), arena)
}
