//! From YAML's events to values.
//!
//! A document is first laid out flat, its nodes in order and each with the index behind its last
//! descendant. An alias is then only an index, so that a text takes memory by its length whatever
//! its anchors are, and what aliases repeat is counted while values are made of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use assay_plugin::{Error, Result, Value};
use granit_parser::{Event, Parser, ScalarStyle, Span, Tag as RawTag};

use super::scalar;
use crate::builtins::{base64, place};

/// How deep collections may be nested, aliases followed.
const MAX_DEPTH: usize = 128;
/// How much content aliases may repeat, counting a node as `NODE` bytes.
const MAX_REPEATED: usize = 16 << 20;
const NODE: usize = 64;
/// How many nodes a text may have: they are made outside of the Lua heap, whose limit they would
/// pass by.
const MAX_NODES: usize = 1_000_000;

/// All documents that are not empty, or with `keep_null` all.
pub(super) fn documents(text: &str, keep_null: bool) -> Result<Vec<Value>> {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut documents = Vec::new();
    let mut layout = Layout::default();
    let mut repeatable = MAX_REPEATED;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let mark = error.marker();
            place::in_text(mark.line(), mark.col() + 1, error.info())
        })?;
        match event {
            Event::DocumentStart(..) => {
                layout = Layout {
                    count: layout.count,
                    ..Layout::default()
                };
            }
            Event::DocumentEnd => {
                let mut values = Values {
                    nodes: &layout.nodes,
                    keep_null,
                    repeatable,
                };
                let value = match layout.nodes.first() {
                    Some(_) => values.root()?,
                    None => Value::Nil,
                };
                repeatable = values.repeatable;
                if value != Value::Nil {
                    documents.push(value);
                }
            }
            event => layout.add(event, span)?,
        }
    }
    Ok(documents)
}

struct Node<'t> {
    content: Content<'t>,
    tag: Tag,
    /// Where it begins.
    at: Place,
    /// The index behind its last descendant; 0 while it is open.
    end: u32,
}

enum Content<'t> {
    Plain(Cow<'t, str>),
    Quoted(Cow<'t, str>),
    List,
    Map,
    /// The node that it repeats.
    Alias(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Tag {
    /// None, or one that means nothing here.
    None,
    Text,
    Null,
    Bool,
    Int,
    Float,
    Binary,
}

#[derive(Clone, Copy)]
struct Place {
    line: u32,
    column: u32,
}

impl Place {
    fn error(self, what: impl std::fmt::Display) -> Error {
        place::in_text(self.line as usize, self.column as usize, what)
    }
}

#[derive(Default)]
struct Layout<'t> {
    nodes: Vec<Node<'t>>,
    open: Vec<usize>,
    anchors: HashMap<usize, usize>,
    /// Of all documents so far.
    count: usize,
}

impl<'t> Layout<'t> {
    fn add(&mut self, event: Event<'t>, span: Span) -> Result<()> {
        let at = Place {
            line: span.start.line() as u32,
            column: span.start.col() as u32 + 1,
        };
        let (content, anchor, tag) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, tag) => {
                (Content::Plain(text), anchor, tag)
            }
            Event::Scalar(text, _, anchor, tag) => (Content::Quoted(text), anchor, tag),
            Event::SequenceStart(_, anchor, tag) => (Content::List, anchor, tag),
            Event::MappingStart(_, anchor, tag) => (Content::Map, anchor, tag),
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let target = target.ok_or_else(|| at.error("an alias without its anchor"))?;
                if self.nodes[target].end == 0 {
                    return Err(at.error("an alias inside of what it repeats"));
                }
                (Content::Alias(target), 0, None)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(index) = self.open.pop() {
                    self.nodes[index].end = self.nodes.len() as u32;
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let index = self.nodes.len();
        self.count += 1;
        if self.count > MAX_NODES {
            return Err(at.error(format_args!("more than {MAX_NODES} nodes")));
        }
        let is_open = matches!(content, Content::List | Content::Map);
        if is_open {
            self.open.push(index);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, index);
        }
        self.nodes.push(Node {
            content,
            tag: tag.map_or(Tag::None, |tag| known(&tag)),
            at,
            end: if is_open { 0 } else { index as u32 + 1 },
        });
        Ok(())
    }
}

fn known(tag: &RawTag) -> Tag {
    // `! text` is text, whatever it looks like.
    if tag.original() == "!" {
        return Tag::Text;
    }
    match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
        Some("str" | "timestamp") => Tag::Text,
        Some("null") => Tag::Null,
        Some("bool") => Tag::Bool,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("binary") => Tag::Binary,
        _ => Tag::None,
    }
}

struct Values<'n, 't> {
    nodes: &'n [Node<'t>],
    keep_null: bool,
    /// What aliases may still repeat.
    repeatable: usize,
}

/// Where a value is made: how deep, and whether it repeats what was made before.
#[derive(Clone, Copy)]
struct Context {
    depth: usize,
    repeats: bool,
}

type MapPairs<'n> = Vec<(&'n str, Value)>;

impl<'n> Values<'n, '_> {
    fn root(&mut self) -> Result<Value> {
        let context = Context {
            depth: 0,
            repeats: false,
        };
        let value = self.value(0, context)?;
        Ok(self.without_null(value))
    }

    fn value(&mut self, index: usize, context: Context) -> Result<Value> {
        let (index, context) = self.enter(index, context)?;
        let node = &self.nodes[index];
        match &node.content {
            Content::Plain(text) => scalar(text, true, node.tag).map_err(|e| node.at.error(e)),
            Content::Quoted(text) => scalar(text, false, node.tag).map_err(|e| node.at.error(e)),
            Content::List => {
                let mut items = Vec::new();
                for child in self.children(index) {
                    let item = self.value(child, context)?;
                    items.push(self.without_null(item));
                }
                Ok(Value::List(items))
            }
            Content::Map => {
                let pairs = self.map(index, context)?;
                let pairs = pairs
                    .into_iter()
                    .map(|(key, value)| (Value::from(key), self.without_null(value)));
                Ok(Value::Map(
                    pairs.filter(|(_, value)| *value != Value::Nil).collect(),
                ))
            }
            Content::Alias(_) => Err(node.at.error("an alias of an alias")),
        }
    }

    /// The pairs of a map node, with those that it merges behind its own. Nulls are kept, since they
    /// override what is merged.
    fn map(&mut self, index: usize, context: Context) -> Result<MapPairs<'n>> {
        let (mut pairs, mut seen, mut merges) = (Vec::new(), HashSet::new(), Vec::new());
        let mut children = self.children(index);
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            let at = self.nodes[key].at;
            let (key, _) = self.enter(key, context)?;
            let key = match &self.nodes[key].content {
                Content::Plain(text) if text == "<<" && self.nodes[key].tag == Tag::None => {
                    merges.push(value);
                    continue;
                }
                Content::Plain(text) | Content::Quoted(text) => &**text,
                _ => return Err(at.error("a list or map as a key")),
            };
            if !seen.insert(key) {
                return Err(at.error(format_args!("the key `{key}` for a second time")));
            }
            pairs.push((key, self.value(value, context)?));
        }
        for merge in merges {
            self.merge(merge, context, &mut |(key, value)| {
                if seen.insert(key) {
                    pairs.push((key, value));
                }
            })?;
        }
        Ok(pairs)
    }

    fn merge(
        &mut self,
        index: usize,
        context: Context,
        add: &mut dyn FnMut((&'n str, Value)),
    ) -> Result<()> {
        let at = self.nodes[index].at;
        let (index, context) = self.enter(index, context)?;
        match self.nodes[index].content {
            Content::Map => self.map(index, context)?.into_iter().for_each(add),
            Content::List => {
                for child in self.children(index) {
                    let at = self.nodes[child].at;
                    let (child, context) = self.enter(child, context)?;
                    if !matches!(self.nodes[child].content, Content::Map) {
                        return Err(at.error("`<<` merges maps, and this is none"));
                    }
                    self.map(child, context)?.into_iter().for_each(&mut *add);
                }
            }
            _ => return Err(at.error("`<<` merges maps, and this is none")),
        }
        Ok(())
    }

    /// Follows an alias, and counts depth and what is repeated.
    fn enter(&mut self, index: usize, mut context: Context) -> Result<(usize, Context)> {
        let node = &self.nodes[index];
        let target = match node.content {
            Content::Alias(target) => {
                context.repeats = true;
                target
            }
            _ => index,
        };
        context.depth += 1;
        if context.depth > MAX_DEPTH {
            let what = format_args!("collections nested deeper than {MAX_DEPTH}");
            return Err(node.at.error(what));
        }
        if context.repeats {
            let size = match &self.nodes[target].content {
                Content::Plain(text) | Content::Quoted(text) => text.len(),
                _ => 0,
            };
            self.repeatable = self.repeatable.checked_sub(size + NODE).ok_or_else(|| {
                node.at.error(format_args!(
                    "aliases repeat more than {} MiB of content",
                    MAX_REPEATED >> 20
                ))
            })?;
        }
        Ok((target, context))
    }

    fn children(&self, index: usize) -> impl Iterator<Item = usize> + use<'n> {
        let nodes: &'n [Node<'_>] = self.nodes;
        let end = nodes[index].end as usize;
        std::iter::successors(Some(index + 1), |child| {
            Some(nodes.get(*child)?.end as usize)
        })
        .take_while(move |child| *child < end)
    }

    fn without_null(&self, value: Value) -> Value {
        match value {
            Value::Null if !self.keep_null => Value::Nil,
            value => value,
        }
    }
}

fn scalar(text: &str, plain: bool, tag: Tag) -> Result<Value, String> {
    let (what, value) = match tag {
        Tag::None if plain => return Ok(scalar::resolve(text)),
        Tag::None | Tag::Text => return Ok(text.into()),
        Tag::Null => ("null", scalar::null(text)),
        Tag::Bool => ("bool", scalar::bool(text)),
        Tag::Int => ("int", scalar::int(text)),
        Tag::Float => {
            let float = scalar::float(text).or_else(|| match scalar::int(text) {
                Some(Value::Int(int)) => Some(Value::Float(int as f64)),
                _ => None,
            });
            ("float", float)
        }
        Tag::Binary => {
            let bytes = base64::decoded(text.as_bytes());
            return bytes
                .map(Value::Bytes)
                .map_err(|error| format!("!!binary: {}", error.message()));
        }
    };
    value.ok_or_else(|| format!("`{text}` is no !!{what}"))
}
