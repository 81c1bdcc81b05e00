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
    let mut documents = Vec::new();
    let mut repeatable = MAX_REPEATED;
    each_document(text, &mut |nodes| {
        let mut values = Values {
            nodes,
            keep_null,
            repeatable,
        };
        let value = values.root()?;
        repeatable = values.repeatable;
        if value != Value::Nil {
            documents.push(value);
        }
        Ok(())
    })?;
    Ok(documents)
}

/// All documents that are not empty, with the places of their nodes.
pub(super) fn trees(text: &str) -> Result<Vec<Tree>> {
    let mut documents = Vec::new();
    each_document(text, &mut |nodes| {
        let mut values = Values {
            nodes,
            keep_null: true,
            repeatable: MAX_REPEATED,
        };
        documents.push(values.tree(0, Context::ROOT)?);
        Ok(())
    })?;
    Ok(documents)
}

/// Hands out the nodes of each document that has some.
fn each_document(text: &str, done: &mut dyn FnMut(&[Node<'_>]) -> Result<()>) -> Result<()> {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut layout = Layout::default();
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
            Event::DocumentEnd if layout.nodes.is_empty() => {}
            Event::DocumentEnd => done(&layout.nodes)?,
            event => layout.add(event, span)?,
        }
    }
    Ok(())
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

/// Where in a text a node begins, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub line: u32,
    pub column: u32,
}

/// A node and its place: for files of a format of our own, whose mistakes are to be shown.
pub(crate) struct Tree {
    pub at: Place,
    pub content: Branch,
}

pub(crate) enum Branch {
    /// A text; what is `plain` may be a number or the like, see [`super::resolve`].
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Tree>),
    /// Keys in the file's order, merged ones behind.
    Map(Vec<(String, Place, Tree)>),
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

impl Context {
    const ROOT: Self = Self {
        depth: 0,
        repeats: false,
    };
}

/// A pair of a map: the key, its node and the value's, and where the value is made.
struct Pair<'n> {
    text: &'n str,
    key: usize,
    value: usize,
    context: Context,
}

impl<'n> Values<'n, '_> {
    fn root(&mut self) -> Result<Value> {
        let value = self.value(0, Context::ROOT)?;
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
                let mut pairs = Vec::new();
                for pair in self.pairs(index, context)? {
                    let value = self.value(pair.value, pair.context)?;
                    match self.without_null(value) {
                        Value::Nil => {}
                        value => pairs.push((Value::from(pair.text), value)),
                    }
                }
                Ok(Value::Map(pairs))
            }
            Content::Alias(_) => Err(node.at.error("an alias of an alias")),
        }
    }

    /// As [`value`](Self::value), with places. They are those of the aliases, not of what is repeated.
    fn tree(&mut self, index: usize, context: Context) -> Result<Tree> {
        let at = self.nodes[index].at;
        let (index, context) = self.enter(index, context)?;
        let node = &self.nodes[index];
        let content = match &node.content {
            Content::Plain(text) | Content::Quoted(text) => Branch::Scalar {
                text: text.to_string(),
                plain: match node.tag {
                    Tag::None => matches!(node.content, Content::Plain(_)),
                    tag => !matches!(tag, Tag::Text | Tag::Binary),
                },
            },
            Content::List => Branch::List(
                self.children(index)
                    .map(|child| self.tree(child, context))
                    .collect::<Result<_>>()?,
            ),
            Content::Map => {
                let mut pairs = Vec::new();
                for pair in self.pairs(index, context)? {
                    let value = self.tree(pair.value, pair.context)?;
                    pairs.push((pair.text.to_owned(), self.nodes[pair.key].at, value));
                }
                Branch::Map(pairs)
            }
            Content::Alias(_) => return Err(node.at.error("an alias of an alias")),
        };
        Ok(Tree { at, content })
    }

    /// The pairs of a map node, with those that it merges behind its own.
    fn pairs(&mut self, index: usize, context: Context) -> Result<Vec<Pair<'n>>> {
        let (mut pairs, mut seen, mut merges) = (Vec::new(), HashSet::new(), Vec::new());
        let mut children = self.children(index);
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            let at = self.nodes[key].at;
            let (target, _) = self.enter(key, context)?;
            let text = match &self.nodes[target].content {
                Content::Plain(text) if text == "<<" && self.nodes[target].tag == Tag::None => {
                    merges.push(value);
                    continue;
                }
                Content::Plain(text) | Content::Quoted(text) => &**text,
                _ => return Err(at.error("a list or map as a key")),
            };
            if !seen.insert(text) {
                return Err(at.error(format_args!("the key `{text}` for a second time")));
            }
            pairs.push(Pair {
                text,
                key,
                value,
                context,
            });
        }
        for merge in merges {
            let merged = self.merged(merge, context)?;
            pairs.extend(merged.into_iter().filter(|pair| seen.insert(pair.text)));
        }
        Ok(pairs)
    }

    fn merged(&mut self, index: usize, context: Context) -> Result<Vec<Pair<'n>>> {
        let at = self.nodes[index].at;
        let (index, context) = self.enter(index, context)?;
        match self.nodes[index].content {
            Content::Map => self.pairs(index, context),
            Content::List => {
                let mut all = Vec::new();
                for child in self.children(index) {
                    let at = self.nodes[child].at;
                    let (child, context) = self.enter(child, context)?;
                    if !matches!(self.nodes[child].content, Content::Map) {
                        return Err(at.error("`<<` merges maps, and this is none"));
                    }
                    all.extend(self.pairs(child, context)?);
                }
                Ok(all)
            }
            _ => Err(at.error("`<<` merges maps, and this is none")),
        }
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
