//! Serde to the wire: anything `Serialize` as a result.

use serde::ser::{self, Serialize, Serializer};

use crate::abi::{Val, tag};
use crate::error::{Error, Result};
use crate::value::{Arena, IntoVal, table};

/// A serde value as a result: structs and maps become tables, `None` and `()` nil.
pub struct Ser<T>(pub T);

// SAFETY: everything is copied into the arena.
unsafe impl<T: Serialize> IntoVal for Ser<T> {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        self.0
            .serialize(ToVal { arena })
            .map_err(|failure| failure.0)
    }
}

struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl ser::Error for Failure {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(Error::new("value", message.to_string()))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failure {}

struct ToVal<'a> {
    arena: &'a mut Arena,
}

macro_rules! simple {
    ($($name:ident($t:ty) => |$v:ident, $arena:ident| $body:expr;)*) => { $(
        fn $name(self, $v: $t) -> Result<Val, Failure> {
            #[allow(unused_variables)]
            let $arena = self.arena;
            Ok($body)
        }
    )* };
}

impl<'a> Serializer for ToVal<'a> {
    type Ok = Val;
    type Error = Failure;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    simple! {
        serialize_bool(bool) => |v, arena| Val::bool(v);
        serialize_i8(i8) => |v, arena| Val::int(v.into());
        serialize_i16(i16) => |v, arena| Val::int(v.into());
        serialize_i32(i32) => |v, arena| Val::int(v.into());
        serialize_i64(i64) => |v, arena| Val::int(v);
        serialize_u8(u8) => |v, arena| Val::int(v.into());
        serialize_u16(u16) => |v, arena| Val::int(v.into());
        serialize_u32(u32) => |v, arena| Val::int(v.into());
        serialize_u64(u64) => |v, arena| v.to_val(arena)?;
        serialize_f32(f32) => |v, arena| Val::float(v.into());
        serialize_f64(f64) => |v, arena| Val::float(v);
        serialize_str(&str) => |v, arena| arena.bytes(v.as_bytes())?;
        serialize_bytes(&[u8]) => |v, arena| arena.bytes(v)?;
    }

    fn serialize_char(self, v: char) -> Result<Val, Failure> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_none(self) -> Result<Val, Failure> {
        Ok(Val::NIL)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Val, Failure> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Val, Failure> {
        Ok(Val::NIL)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Val, Failure> {
        Ok(Val::NIL)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Val, Failure> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Val, Failure> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Val, Failure> {
        let mut compound = Compound::new(self.arena, tag::MAP, None);
        ser::SerializeStruct::serialize_field(&mut compound, variant, value)?;
        compound.finish()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Failure> {
        Ok(Compound::new(self.arena, tag::LIST, None))
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a>, Failure> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, Failure> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failure> {
        Ok(Compound::new(self.arena, tag::LIST, Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, Failure> {
        Ok(Compound::new(self.arena, tag::MAP, None))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, Failure> {
        self.serialize_map(Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failure> {
        Ok(Compound::new(self.arena, tag::MAP, Some(variant)))
    }
}

struct Compound<'a> {
    arena: &'a mut Arena,
    tag: u32,
    start: usize,
    /// The variant that the finished value is wrapped in.
    variant: Option<&'static str>,
}

impl<'a> Compound<'a> {
    fn new(arena: &'a mut Arena, tag: u32, variant: Option<&'static str>) -> Self {
        Self {
            start: arena.start(),
            arena,
            tag,
            variant,
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        Ok(self.arena.nested(|arena| arena.put(&Ser(value)))?)
    }

    fn finish(self) -> Result<Val, Failure> {
        let val = table(self.tag, self.arena.close(self.start));
        let Some(variant) = self.variant else {
            return Ok(val);
        };
        let start = self.arena.start();
        self.arena.put(variant)?;
        self.arena.push(val);
        Ok(table(tag::MAP, self.arena.close(start)))
    }
}

macro_rules! sequence {
    ($($name:ident :: $push:ident),*) => { $(
        impl ser::$name for Compound<'_> {
            type Ok = Val;
            type Error = Failure;
            fn $push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.push(value)
            }
            fn end(self) -> Result<Val, Failure> {
                self.finish()
            }
        }
    )* };
}
sequence!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! structure {
    ($($name:ident),*) => { $(
        impl ser::$name for Compound<'_> {
            type Ok = Val;
            type Error = Failure;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
                self.arena.put(key)?;
                self.push(value)
            }
            fn end(self) -> Result<Val, Failure> {
                self.finish()
            }
        }
    )* };
}
structure!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = Val;
    type Error = Failure;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.push(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.push(value)
    }
    fn end(self) -> Result<Val, Failure> {
        self.finish()
    }
}
