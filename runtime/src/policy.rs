//! What a script may do: rules for the network, files, the environment and plugins.
//!
//! A rule that allows narrows: what no rule of its kind names is then refused. A rule that denies comes
//! before those that allow.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use assay_plugin::Value;

use crate::Error;
use crate::builtins::yaml::{self, Branch, Tree};

/// The permissions of a script.
///
/// ```
/// use assay::Policy;
///
/// let mut policy = Policy::sandbox();
/// policy.allow("net", "api.example.com:443").unwrap();
/// assert!(policy.allows("net.connect", "api.example.com:443"));
/// assert!(!policy.allows("net.connect", "other.example.com:443"));
/// // A name that is allowed does not open what its address may be.
/// assert!(!policy.allows("net.address", "169.254.169.254:443 api.example.com"));
/// ```
#[derive(Clone)]
pub struct Policy {
    net: Rules<NetRule>,
    env: Rules<String>,
    read: Rules<PathBuf>,
    write: Rules<PathBuf>,
    plugin: Rules<String>,
    sandboxed: bool,
    host: Option<Allowed>,
}

/// A host's own decision: permission (`net.connect`, `fs.read`, ...) and target.
pub type Allowed = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// The kinds of rules, as flags name them: `--allow-net`.
pub const KINDS: [&str; 5] = ["net", "env", "read", "write", "plugin"];

#[derive(Clone, Debug)]
struct Rules<T> {
    allow: Allow<T>,
    deny: Vec<T>,
}

#[derive(Clone, Debug)]
enum Allow<T> {
    All,
    /// Of the network: whatever is not this machine, its link or a cloud's metadata.
    Elsewhere,
    Listed(Vec<T>),
}

impl Default for Policy {
    /// Everything.
    fn default() -> Self {
        Self {
            net: Rules::new(Allow::All),
            env: Rules::new(Allow::All),
            read: Rules::new(Allow::All),
            write: Rules::new(Allow::All),
            plugin: Rules::new(Allow::All),
            sandboxed: false,
            host: None,
        }
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("net", &self.net)
            .field("env", &self.env)
            .field("read", &self.read)
            .field("write", &self.write)
            .field("plugin", &self.plugin)
            .field("sandboxed", &self.sandboxed)
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// What a host's function allows. It may be called from any thread. Permissions and targets:
    /// `net.connect` and `net.listen` (`host:port`, `unix:/path`), `net.address` (`address:port name`, of
    /// what a name turned out to be), `env` (a name), `fs.read` and `fs.write` (a path as the script
    /// wrote it), `plugin` (a family), `run` (a command).
    pub fn asking(allowed: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            host: Some(Arc::new(allowed)),
            ..Self::default()
        }
    }

    /// What untrusted scripts may do: connect to hosts that are not this machine, its link or a cloud's
    /// metadata service; no files, no environment, no plugin but `http`.
    pub fn sandbox() -> Self {
        Self {
            net: Rules::new(Allow::Elsewhere),
            env: Rules::new(Allow::Listed(Vec::new())),
            read: Rules::new(Allow::Listed(Vec::new())),
            write: Rules::new(Allow::Listed(Vec::new())),
            plugin: Rules::new(Allow::Listed(vec!["http".into()])),
            sandboxed: true,
            host: None,
        }
    }

    /// What scripts of checks may do: as in a sandbox, but they live beside the services that they
    /// check, and may reach every host.
    pub fn checks() -> Self {
        Self {
            net: Rules::new(Allow::All),
            ..Self::sandbox()
        }
    }

    /// Whether scripts see the globals of a sandbox only.
    pub fn is_sandboxed(&self) -> bool {
        self.sandboxed
    }

    /// Whether nothing is refused.
    pub fn is_everything(&self) -> bool {
        !self.narrows() && self.host.is_none()
    }

    fn narrows(&self) -> bool {
        self.sandboxed
            || !(self.net.is_all()
                && self.env.is_all()
                && self.read.is_all()
                && self.write.is_all()
                && self.plugin.is_all())
    }

    /// Whether a rule allows some of a kind, or all of it.
    pub fn opens(&self, kind: &str) -> bool {
        match kind {
            "read" => self.read.opens(),
            "write" => self.write.opens(),
            "env" => self.env.opens(),
            "net" => self.net.opens(),
            _ => self.plugin.opens(),
        }
    }

    /// Lifts every rule. A sandbox keeps its globals, a host its word.
    pub fn allow_all(&mut self) {
        *self = Self {
            sandboxed: self.sandboxed,
            host: self.host.take(),
            ..Self::default()
        };
    }

    /// Adds rules that allow, separated by commas: `--allow-<kind>=<list>`.
    ///
    /// - `net`: `HOST`, `HOST:PORT`, `*.SUFFIX`, addresses and networks (`10.0.0.0/8`, `[::1]:80`),
    ///   `unix:PATH`
    /// - `env`: names, `PREFIX_*`
    /// - `read`, `write`: files, and folders with what is below them
    /// - `plugin`: families
    /// - any: `*`
    ///
    /// # Errors
    /// Kind `usage` for what is no rule.
    pub fn allow(&mut self, kind: &str, list: &str) -> Result<(), Error> {
        self.add(kind, list, true)
    }

    /// Adds rules that deny, written as those of [`allow`](Self::allow).
    ///
    /// # Errors
    /// As [`allow`](Self::allow).
    pub fn deny(&mut self, kind: &str, list: &str) -> Result<(), Error> {
        self.add(kind, list, false)
    }

    fn add(&mut self, kind: &str, list: &str, allows: bool) -> Result<(), Error> {
        let items: Vec<&str> = list.split(',').map(str::trim).collect();
        if items.iter().any(|item| item.is_empty()) {
            return Err(Error::new("usage", "an entry of the list is empty"));
        }
        match kind {
            "net" => self.net.add(&items, allows, NetRule::parse),
            "env" => self.env.add(&items, allows, name),
            "plugin" => self.plugin.add(&items, allows, name),
            "read" => self.read.add(&items, allows, place),
            "write" => self.write.add(&items, allows, place),
            _ => Err(Error::new(
                "usage",
                format!("`{kind}` is no kind of permission"),
            )),
        }
    }

    /// Whether a script may do `permission` to `target`; [`asking`](Self::asking) lists both.
    pub fn allows(&self, permission: &str, target: &str) -> bool {
        if self
            .host
            .as_ref()
            .is_some_and(|host| !host(permission, target))
        {
            return false;
        }
        match permission {
            "net.connect" | "net.listen" => self.connects(permission, target),
            "net.address" => self.reaches(target),
            "env" => self.env.decide(|rule| matches_name(rule, target)),
            "plugin" => self.plugin.decide(|rule| matches_name(rule, target)),
            "fs.read" => allows_path(&self.read, target),
            "fs.write" => allows_path(&self.write, target),
            // A program may do anything, and so may what nobody has heard of.
            _ => !self.narrows(),
        }
    }

    /// A name or address, before it is looked up.
    fn connects(&self, permission: &str, target: &str) -> bool {
        let target = Target::parse(target);
        if self.net.deny.iter().any(|rule| rule.covers(&target)) {
            return false;
        }
        match &self.net.allow {
            Allow::All => true,
            Allow::Elsewhere => match target.host {
                _ if permission == "net.listen" => false,
                Host::Address(address) => !is_special(address),
                Host::Name(_) => true,
                Host::Unix(_) => false,
            },
            // What a name leads to is asked about later; a network may be meant.
            Allow::Listed(rules) => rules.iter().any(|rule| {
                rule.covers(&target)
                    || matches!(
                        (&rule.host, &target.host),
                        (HostRule::Network { .. }, Host::Name(_))
                    ) && rule.covers_port(target.port)
            }),
        }
    }

    /// `address:port name`: what a name turned out to be.
    fn reaches(&self, target: &str) -> bool {
        let (address, name) = target.split_once(' ').unwrap_or((target, target));
        let Ok(address) = address.parse::<SocketAddr>() else {
            return false;
        };
        let port = Some(address.port());
        let at = |host| Target { host, port };
        let found = at(Host::Address(plain(address.ip())));
        let named = at(Target::parse(name).host);
        if self.net.deny.iter().any(|rule| rule.covers(&found)) {
            return false;
        }
        match &self.net.allow {
            Allow::All => true,
            Allow::Elsewhere => !is_special(address.ip()),
            Allow::Listed(rules) => rules.iter().any(|rule| {
                rule.covers(&found)
                    || rule.covers(&named)
                        && (!is_special(address.ip())
                            || matches!(rule.host, HostRule::Any)
                            || is_local(&named.host))
            }),
        }
    }
}

impl<T> Rules<T> {
    const fn new(allow: Allow<T>) -> Self {
        Self {
            allow,
            deny: Vec::new(),
        }
    }

    fn is_all(&self) -> bool {
        matches!(self.allow, Allow::All) && self.deny.is_empty()
    }

    fn opens(&self) -> bool {
        !matches!(&self.allow, Allow::Listed(rules) if rules.is_empty())
    }

    fn add(
        &mut self,
        items: &[&str],
        allows: bool,
        parse: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<(), Error> {
        if allows && items == ["*"] {
            self.allow = Allow::All;
            return Ok(());
        }
        let rules = items
            .iter()
            .map(|item| parse(item))
            .collect::<Result<Vec<_>, _>>()?;
        match (&mut self.allow, allows) {
            (_, false) => self.deny.extend(rules),
            (Allow::Listed(listed), true) => listed.extend(rules),
            (allow, true) => *allow = Allow::Listed(rules),
        }
        Ok(())
    }

    fn decide(&self, matches: impl Fn(&T) -> bool) -> bool {
        if self.deny.iter().any(&matches) {
            return false;
        }
        match &self.allow {
            Allow::All | Allow::Elsewhere => true,
            Allow::Listed(rules) => rules.iter().any(matches),
        }
    }
}

/// A name, or the beginning of one and `*`.
fn name(text: &str) -> Result<String, Error> {
    let stem = text.strip_suffix('*').unwrap_or(text);
    if stem.contains(['*', '=', '\0']) {
        return Err(Error::new("usage", format!("`{text}` is no name")));
    }
    Ok(text.into())
}

fn matches_name(rule: &str, name: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => rule == name,
    }
}

/// A pair at the top of a YAML file, and where its key is.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1.
    pub column: u32,
    /// The key.
    pub key: String,
    /// A scalar, or a list of scalars; `None` for anything else.
    pub value: Option<Setting>,
}

/// What a key is set to.
#[derive(Clone, Debug)]
pub enum Setting {
    /// `true` or `false`.
    Switch(bool),
    /// Texts and numbers as they are written; the items of a list.
    Texts(Vec<String>),
}

/// Reads a policy file: a YAML map of scalars and lists of scalars. What its keys mean is the reader's
/// affair.
///
/// # Errors
/// Kind `usage`, with line and column, for what is no such map.
pub fn read(text: &str) -> Result<Vec<Pair>, Error> {
    let wrong = |message: String| Error::new("usage", message);
    let tree = yaml::tree(text).map_err(|error| wrong(error.message().into()))?;
    let Some(tree) = tree else {
        return Ok(Vec::new());
    };
    let Branch::Map(pairs) = tree.content else {
        let yaml::Place { line, column } = tree.at;
        return Err(wrong(format!(
            "line {line}, column {column}: expected a map of keys and values"
        )));
    };
    let scalar = |tree: &Tree| match &tree.content {
        Branch::Scalar { text, .. } if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let value = |tree: &Tree| match &tree.content {
        Branch::Scalar { text, plain: true } if let Value::Bool(on) = yaml::resolve(text) => {
            Some(Setting::Switch(on))
        }
        Branch::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(scalar).collect();
            items.filter(|items| !items.is_empty()).map(Setting::Texts)
        }
        _ => scalar(tree).map(|text| Setting::Texts(vec![text])),
    };
    let pair = |(key, at, tree): (String, yaml::Place, Tree)| Pair {
        line: at.line,
        column: at.column,
        key,
        value: value(&tree),
    };
    Ok(pairs.into_iter().map(pair).collect())
}

// ---- The network ---------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq)]
struct NetRule {
    host: HostRule,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
enum HostRule {
    Any,
    /// In lower case.
    Name(String),
    /// `.example.com`: names that end with it.
    Suffix(String),
    Network {
        address: IpAddr,
        bits: u32,
    },
    Unix(PathBuf),
}

struct Target {
    host: Host,
    /// `None` where it is not known.
    port: Option<u16>,
}

enum Host {
    Name(String),
    Address(IpAddr),
    Unix(PathBuf),
}

impl Target {
    /// `host:port`, `[::1]:port`, `unix:/path`; or a host alone.
    fn parse(text: &str) -> Self {
        if let Some(path) = text.strip_prefix("unix:") {
            let host = Host::Unix(resolve(path.as_ref()).unwrap_or_default());
            return Self { host, port: None };
        }
        let (host, port) = split_port(text);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // A zone is an interface of this machine's, and no other address.
        let address = bare.split('%').next().unwrap_or_default();
        let host = match address.parse() {
            Ok(address) => Host::Address(plain(address)),
            Err(_) => Host::Name(bare.trim_end_matches('.').to_ascii_lowercase()),
        };
        Self {
            host,
            port: port.and_then(|port| port.parse().ok()),
        }
    }
}

/// `host:port` into its parts; an IPv6 address needs its brackets for that.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') || host.contains("]/") => {
            (host, Some(port))
        }
        _ => (text, None),
    }
}

impl NetRule {
    fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            Error::new("usage", format!("`{text}`: {what}")).with_hint(
                "entries are HOST, HOST:PORT, *.SUFFIX, ADDRESS, ADDRESS/BITS or unix:PATH",
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let host = HostRule::Unix(resolve(path.as_ref())?);
            return Ok(Self { host, port: None });
        }
        if text.contains("://") {
            return Err(wrong("a host is expected, not a URL"));
        }
        let (host, port) = split_port(text);
        let port = match port {
            None | Some("*") => None,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => Some(port),
                _ => return Err(wrong("the port is no number from 1 to 65535")),
            },
        };
        let (host, bits) = match host.rsplit_once('/') {
            Some((host, bits)) => (host, Some(bits)),
            None => (host, None),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let host = match (bare.parse::<IpAddr>(), bits) {
            (Ok(address), bits) => {
                let most = if address.is_ipv4() { 32 } else { 128 };
                let bits = match bits.map(str::parse) {
                    None => most,
                    Some(Ok(bits)) if bits <= most => bits,
                    Some(_) => return Err(wrong("the network has no such length")),
                };
                HostRule::Network { address, bits }
            }
            (Err(_), Some(_)) => return Err(wrong("a network is an address and a length")),
            (Err(_), None) if bare == "*" => HostRule::Any,
            (Err(_), None) => {
                let host = bare.trim_end_matches('.').to_ascii_lowercase();
                let suffix = host.strip_prefix('*');
                let stem = suffix.unwrap_or(&host);
                let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
                if stem.is_empty() || !stem.chars().all(good) {
                    return Err(wrong("this is no host"));
                }
                match suffix {
                    Some(suffix) if suffix.starts_with('.') => HostRule::Suffix(suffix.into()),
                    Some(_) => return Err(wrong("a `*` stands for whole labels: *.example.com")),
                    None => HostRule::Name(host),
                }
            }
        };
        Ok(Self { host, port })
    }

    fn covers_port(&self, port: Option<u16>) -> bool {
        // What is not known may be that one.
        self.port.is_none() || port.is_none() || self.port == port
    }

    fn covers(&self, target: &Target) -> bool {
        let host = match (&self.host, &target.host) {
            // A socket has no port.
            (HostRule::Any, Host::Unix(_)) => self.port.is_none(),
            (HostRule::Any, _) => true,
            (HostRule::Name(rule), Host::Name(name)) => rule == name,
            (HostRule::Suffix(suffix), Host::Name(name)) => name.ends_with(suffix.as_str()),
            (HostRule::Network { address, bits }, Host::Address(found)) => {
                contains(*address, *bits, *found)
            }
            (HostRule::Unix(rule), Host::Unix(path)) => path.starts_with(rule),
            _ => false,
        };
        host && self.covers_port(target.port)
    }
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let same = |width: u32, a: u128, b: u128| bits == 0 || (a ^ b) >> (width - bits) == 0;
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(32, a.to_bits().into(), b.to_bits().into()),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(128, a.to_bits(), b.to_bits()),
        _ => false,
    }
}

fn is_local(host: &Host) -> bool {
    matches!(host, Host::Name(name) if name == "localhost" || name.ends_with(".localhost"))
}

/// An IPv4 address in IPv6's clothes is itself: mapped (RFC 4291), translated (RFC 6052), and of the
/// obsolete compatible form.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let inner = |at: usize| {
        let bytes = v6.octets();
        IpAddr::V4(Ipv4Addr::new(
            bytes[at],
            bytes[at + 1],
            bytes[at + 2],
            bytes[at + 3],
        ))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] if !v6.is_loopback() && !v6.is_unspecified() => inner(12),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => inner(12),
        // 6to4 (RFC 3056).
        [0x2002, ..] => inner(2),
        _ => address,
    }
}

/// This machine, its link, everybody, or a cloud's metadata service.
fn is_special(address: IpAddr) -> bool {
    const METADATA_V4: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
        Ipv4Addr::new(168, 63, 129, 16),   // Azure
        Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud
    ];
    const METADATA_V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google Cloud
    ];
    match plain(address) {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.octets()[0] == 0
                || METADATA_V4.contains(&v4)
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || METADATA_V6.contains(&v6)
        }
    }
}

// ---- Files ---------------------------------------------------------------------------------------

fn allows_path(rules: &Rules<PathBuf>, path: &str) -> bool {
    if rules.is_all() {
        return true;
    }
    match resolve(path.as_ref()) {
        Ok(path) => rules.decide(|rule| path.starts_with(rule)),
        Err(_) => false,
    }
}

/// A file or folder of a rule.
fn place(path: &str) -> Result<PathBuf, Error> {
    match path {
        "*" => Ok("/".into()),
        _ => resolve(path.as_ref()),
    }
}

/// The absolute path that a path leads to, through `..` and symbolic links; what does not exist is
/// taken as it is written.
fn resolve(path: &Path) -> Result<PathBuf, Error> {
    const MOST_LINKS: usize = 40;
    let mut steps: VecDeque<PathBuf> = VecDeque::new();
    let push_front = |steps: &mut VecDeque<PathBuf>, path: &Path| {
        for step in path.components().rev() {
            steps.push_front(step.as_os_str().into());
        }
    };
    let absolute = match path.is_absolute() {
        true => path.to_owned(),
        false => std::env::current_dir()
            .map_err(|error| Error::new("io", format!("there is no current folder: {error}")))?
            .join(path),
    };
    push_front(&mut steps, &absolute);
    let mut links = 0;
    let mut resolved = PathBuf::new();
    while let Some(step) = steps.pop_front() {
        match step.components().next() {
            None | Some(Component::CurDir) => {}
            Some(Component::ParentDir) => {
                resolved.pop();
            }
            Some(Component::RootDir | Component::Prefix(_)) => resolved = PathBuf::from("/"),
            Some(Component::Normal(name)) => {
                let next = resolved.join(name);
                match fs_err::read_link(&next) {
                    Ok(target) if links < MOST_LINKS => {
                        links += 1;
                        push_front(&mut steps, &target);
                    }
                    Ok(_) => {
                        return Err(Error::new(
                            "io",
                            format!("too many links in {}", path.display()),
                        ));
                    }
                    Err(_) => resolved = next,
                }
            }
        }
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: &str) -> Policy {
        let mut policy = Policy::default();
        policy.allow("net", list).unwrap();
        policy
    }

    #[test]
    fn names_ports_and_networks() {
        let policy = listed("api.example.com:443, *.svc, 10.1.0.0/16:5432,[fd00::]/8:80");
        for (target, allowed) in [
            ("api.example.com:443", true),
            ("API.Example.COM.:443", true),
            ("api.example.com:444", false),
            ("queue.svc:8200", true),
            ("svc:8200", false),
            ("evilsvc:81", false),
            ("10.1.2.3:5432", true),
            ("10.2.2.3:5432", false),
            ("10.1.2.3:5433", false),
            ("db:5433", false),
            ("[::ffff:10.1.2.3]:5432", true),
            ("[fd12::1]:80", true),
            ("[fe80::1]:80", false),
            // It may turn out to be in a network that is allowed.
            ("db:5432", true),
        ] {
            assert_eq!(policy.allows("net.connect", target), allowed, "{target}");
        }
        for (target, allowed) in [
            ("10.1.2.3:5432 db", true),
            ("10.2.2.3:5432 db", false),
            ("10.2.2.3:443 api.example.com", true),
            ("127.0.0.1:443 api.example.com", false),
            ("[::1]:8200 queue.svc", false),
        ] {
            assert_eq!(policy.allows("net.address", target), allowed, "{target}");
        }
        assert!(listed("localhost:80").allows("net.address", "127.0.0.1:80 localhost"));
        assert!(listed("127.0.0.1").allows("net.address", "127.0.0.1:80 anything"));
        assert!(listed("*:80").allows("net.address", "127.0.0.1:80 anything"));
        assert!(!listed("*:80").allows("net.connect", "anything:81"));
    }

    #[test]
    fn what_denies_comes_first() {
        let mut policy = Policy::default();
        policy.deny("net", "169.254.0.0/16,*.internal").unwrap();
        assert!(policy.allows("net.connect", "example.com:80"));
        assert!(!policy.allows("net.connect", "metadata.google.internal:80"));
        assert!(!policy.allows("net.address", "169.254.169.254:80 example.com"));
        assert!(!policy.allows("net.address", "[::ffff:169.254.169.254]:80 example.com"));
        policy.allow("net", "*").unwrap();
        assert!(!policy.allows("net.connect", "169.254.169.254:80"));
        // Any free port is not that one.
        policy.deny("net", "127.0.0.1:80").unwrap();
        assert!(policy.allows("net.address", "127.0.0.1:0 127.0.0.1"));
        assert!(!policy.allows("net.address", "127.0.0.1:80 127.0.0.1"));
    }

    #[test]
    fn a_sandbox_reaches_other_hosts() {
        let policy = Policy::sandbox();
        for (address, allowed) in [
            ("93.184.216.34", true),
            ("10.0.0.1", true),
            ("[2606:2800:220:1::1]", true),
            ("127.0.0.1", false),
            ("127.8.9.1", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("[::1]", false),
            ("[::]", false),
            ("[fe80::1]", false),
            ("[fe80::1%eth0]", false),
            ("[ff02::1]", false),
            ("[::ffff:127.0.0.1]", false),
            ("[::127.0.0.1]", false),
            ("[64:ff9b::7f00:1]", false),
            ("[2002:7f00:1::]", false),
            ("[fd00:ec2::254]", false),
        ] {
            assert_eq!(
                policy.allows("net.connect", &format!("{address}:80")),
                allowed,
                "{address}"
            );
            if !address.contains('%') {
                assert_eq!(
                    policy.allows("net.address", &format!("{address}:80 example.com")),
                    allowed,
                    "{address}"
                );
            }
        }
        // As a name they are anything: what they turn out to be decides.
        assert!(policy.allows("net.connect", "2130706433:80"));
        assert!(!policy.allows("net.address", "127.0.0.1:80 2130706433"));
        assert!(!policy.allows("net.listen", "0.0.0.0:80"));
        assert!(!policy.allows("net.connect", "unix:/run/docker.sock"));
        assert!(!policy.allows("env", "HOME"));
        assert!(!policy.allows("fs.read", "/etc/passwd"));
        assert!(!policy.allows("run", "ls"));
        assert!(policy.allows("plugin", "http") && !policy.allows("plugin", "db"));
    }

    #[test]
    fn paths_are_resolved_first() {
        let folder = std::env::temp_dir().join(format!("assay-policy-{}", std::process::id()));
        let inside = folder.join("inside");
        fs_err::create_dir_all(&inside).unwrap();
        fs_err::write(folder.join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", inside.join("dangling")).unwrap();
        std::os::unix::fs::symlink("loop", inside.join("loop")).unwrap();
        let mut policy = Policy::default();
        policy.allow("read", inside.to_str().unwrap()).unwrap();
        let reads = |name: &str| policy.allows("fs.read", inside.join(name).to_str().unwrap());
        assert!(reads("a/b/new") && reads("") && reads("./x/../y"));
        for name in [
            "link",
            "dangling",
            "loop",
            "../secret",
            "a/../../secret",
            "new/../../secret",
            "../inside-too",
        ] {
            assert!(!reads(name), "{name}");
        }
        policy
            .deny("read", inside.join("a").to_str().unwrap())
            .unwrap();
        assert!(!policy.allows("fs.read", inside.join("a/b").to_str().unwrap()));
        assert!(policy.allows("fs.write", "/anywhere"), "another kind");
        fs_err::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn names() {
        let mut policy = Policy::sandbox();
        policy.allow("env", "HOME,APP_*").unwrap();
        policy.deny("env", "APP_SECRET").unwrap();
        for (name, allowed) in [
            ("HOME", true),
            ("HOMES", false),
            ("APP_X", true),
            ("APP_SECRET", false),
        ] {
            assert_eq!(policy.allows("env", name), allowed, "{name}");
        }
    }

    #[test]
    fn everything_of_a_kind() {
        for (kind, permission, target) in [
            ("net", "net.connect", "example.com:80"),
            ("net", "net.connect", "10.0.0.1:80"),
            ("net", "net.connect", "unix:/run/docker.sock"),
            ("net", "net.listen", "0.0.0.0:80"),
            ("net", "net.address", "10.0.0.1:80 example.com"),
            ("env", "env", "HOME"),
            ("read", "fs.read", "/etc/passwd"),
            ("read", "fs.read", "relative"),
            ("write", "fs.write", "/etc/passwd"),
            ("plugin", "plugin", "http"),
        ] {
            let mut policy = Policy::default();
            policy.deny(kind, "*").unwrap();
            assert!(!policy.allows(permission, target), "{kind} {target}");
            let mut policy = Policy::sandbox();
            for list in ["*", "other,*"] {
                policy.allow(kind, list).unwrap();
                assert!(policy.allows(permission, target), "{kind} {target} {list}");
            }
        }
        assert!(!listed("*:80").allows("net.connect", "unix:/run/docker.sock"));
    }

    #[test]
    fn what_is_no_rule() {
        for list in [
            "",
            "a,,b",
            "http://x",
            "host:0",
            "host:99999",
            "host:http",
            "10.0.0.0/33",
            "x/8",
            "ex*mple.com",
            "*foo.com",
            "a b",
        ] {
            let error = Policy::default().allow("net", list).unwrap_err();
            assert_eq!(error.kind, "usage", "{list}");
        }
        assert!(Policy::default().allow("env", "A=B").is_err());
        assert!(Policy::default().allow("files", "x").is_err());
    }
}
