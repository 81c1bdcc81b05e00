//! From method and path to a handler.

use std::collections::{BTreeSet, HashMap};

use assay_plugin::{Error, Func, Kind, Result, Value, View};
use hyper::Method;

use crate::query::unescape;

/// All routes of a server.
pub struct Router {
    /// The most specific pattern first.
    routes: Vec<Route>,
    /// Patterns without parameters, by path: nothing can be more specific than these.
    fixed: HashMap<String, usize>,
}

struct Route {
    pattern: Vec<Segment>,
    handlers: Vec<(String, Func)>,
}

/// A part between slashes. In this order: a text before a parameter before the rest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Text(String),
    Param(String),
    Rest,
}

/// What a request leads to.
pub enum Found<'a> {
    Handler(&'a Func, Value),
    /// The methods that the path has.
    WrongMethod(String),
    Nothing,
}

impl Router {
    /// Reads `{METHOD = {["/path"] = handler}}`.
    pub fn new(table: View<'_>) -> Result<Self> {
        let mut routes: Vec<Route> = Vec::new();
        for (method, paths) in entries(table, "argument 2")? {
            let method = name(method, "argument 2: a method")?;
            if method != "*"
                && (Method::from_bytes(method.as_bytes()).is_err()
                    || method != method.to_ascii_uppercase())
            {
                return Err(Error::argument(format!(
                    "argument 2: `{}` is not a method",
                    method.escape_debug()
                ))
                .hint("methods are in capitals: GET, POST, ...; `*` is any"));
            }
            for (path, handler) in entries(paths, &format!("routes.{method}"))? {
                let path = name(path, &format!("routes.{method}: a path"))?;
                let place = format!("routes.{method}[\"{}\"]", path.escape_debug());
                let Kind::Func(handler) = handler.kind()? else {
                    return Err(Error::argument(format!(
                        "{place}: expected a function, got {}",
                        handler.type_name()
                    )));
                };
                let pattern = parse(&path).map_err(|error| error.context(&place))?;
                let at = match routes
                    .iter()
                    .position(|route| same(&route.pattern, &pattern))
                {
                    Some(at) => at,
                    None => {
                        routes.push(Route {
                            pattern,
                            handlers: Vec::new(),
                        });
                        routes.len() - 1
                    }
                };
                if routes[at].pattern != parse(&path)?
                    || routes[at]
                        .handlers
                        .iter()
                        .any(|(known, _)| *known == method)
                {
                    return Err(Error::argument(format!(
                        "{place}: another route matches the same paths"
                    )));
                }
                routes[at].handlers.push((method.clone(), handler));
            }
        }
        routes.sort_by(|a, b| a.pattern.cmp(&b.pattern));
        let fixed = routes
            .iter()
            .enumerate()
            .filter_map(|(at, route)| Some((route.fixed()?, at)))
            .collect();
        Ok(Self { routes, fixed })
    }

    /// The handler for a request. The path is as sent, still escaped.
    pub fn find(&self, method: &str, path: &str) -> Found<'_> {
        if let Some(&at) = self.fixed.get(path)
            && let Some(handler) = self.routes[at].handler(method)
        {
            return Found::Handler(handler, Value::Map(Vec::new()));
        }
        let segments: Vec<_> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let mut allowed = BTreeSet::new();
        for route in &self.routes {
            let Some(params) = route.matches(&segments) else {
                continue;
            };
            if let Some(handler) = route.handler(method) {
                return Found::Handler(handler, Value::Map(params));
            }
            for (method, _) in &route.handlers {
                allowed.insert(method.as_str());
                if method == "GET" {
                    allowed.insert("HEAD");
                }
            }
        }
        if allowed.is_empty() {
            return Found::Nothing;
        }
        Found::WrongMethod(allowed.into_iter().collect::<Vec<_>>().join(", "))
    }
}

impl Route {
    fn handler(&self, method: &str) -> Option<&Func> {
        let get = (method == "HEAD").then_some("GET");
        [Some(method), get, Some("*")]
            .into_iter()
            .flatten()
            .find_map(|wanted| self.handlers.iter().find(|(method, _)| method == wanted))
            .map(|(_, handler)| handler)
    }

    fn matches(&self, segments: &[&str]) -> Option<Vec<(Value, Value)>> {
        let mut params = Vec::new();
        for (at, segment) in self.pattern.iter().enumerate() {
            match segment {
                Segment::Rest => {
                    let rest = segments.get(at..)?.join("/");
                    params.push((
                        Value::from("*"),
                        Value::Bytes(unescape(rest.as_bytes(), false)),
                    ));
                    return Some(params);
                }
                Segment::Text(text) => {
                    let sent = segments.get(at)?;
                    if *sent != text && unescape(sent.as_bytes(), false) != text.as_bytes() {
                        return None;
                    }
                }
                Segment::Param(name) => {
                    let sent = segments.get(at).filter(|sent| !sent.is_empty())?;
                    params.push((
                        Value::from(name.as_str()),
                        Value::Bytes(unescape(sent.as_bytes(), false)),
                    ));
                }
            }
        }
        (self.pattern.len() == segments.len()).then_some(params)
    }

    fn fixed(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.pattern {
            let Segment::Text(text) = segment else {
                return None;
            };
            path.push('/');
            path.push_str(text);
        }
        Some(path)
    }
}

fn entries<'a>(view: View<'a>, what: &str) -> Result<Vec<(View<'a>, View<'a>)>> {
    match view.kind()? {
        Kind::Map(pairs) => Ok(pairs.collect()),
        Kind::List(items) if items.len() == 0 => Ok(Vec::new()),
        _ => Err(Error::argument(format!(
            "{what}: expected a table, got {}",
            view.type_name()
        ))),
    }
}

fn name(view: View<'_>, what: &str) -> Result<String> {
    view.as_bytes()
        .and_then(|bytes| String::from_utf8(bytes.into()).ok())
        .ok_or_else(|| {
            Error::argument(format!("{what} must be a string, got {}", view.type_name()))
        })
}

fn parse(path: &str) -> Result<Vec<Segment>> {
    let wrong = |what: String| Err(Error::argument(what));
    let Some(rest) = path.strip_prefix('/') else {
        return wrong("a path begins with `/`".into());
    };
    if path.contains('?') {
        return wrong("a path has no query: handlers find it in `req.params`".into());
    }
    let mut names = BTreeSet::new();
    let parts: Vec<_> = rest.split('/').collect();
    let last = parts.len() - 1;
    let mut pattern = Vec::with_capacity(parts.len());
    for (at, part) in parts.into_iter().enumerate() {
        let braced = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        let param = part.strip_prefix(':').or(braced);
        pattern.push(match param {
            _ if part == "*" && at == last => Segment::Rest,
            _ if part == "*" => return wrong("`*` is only possible at the end".into()),
            Some("") => return wrong("a parameter without a name".into()),
            Some(name) if !names.insert(name) => {
                return wrong(format!("two parameters of the name `{name}`"));
            }
            Some(name) => Segment::Param(name.into()),
            None => Segment::Text(part.into()),
        });
    }
    Ok(pattern)
}

/// Whether two patterns match the same paths, whatever their parameters are called.
fn same(a: &[Segment], b: &[Segment]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Segment::Param(_), Segment::Param(_)) => true,
            (a, b) => a == b,
        })
}
