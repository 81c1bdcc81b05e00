//! Finds one version of every package such that all requirements hold.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pubgrub::{
    DefaultStringReporter, Dependencies, DependencyProvider, DerivationTree, Derived, External,
    Map, PackageResolutionStatistics, PubGrubError, Ranges, ReportFormatter, Reporter, Term,
};
use semver::{Version, VersionReq};

use crate::error::{Error, ErrorKind, Result};
use crate::meta::Requirement;
use crate::name::PackageName;
use crate::version::{Point, between, mentions_pre, ranges};

/// What the solver asks while it works; both answers may cost a request.
pub trait Catalogue {
    /// Every version of a package; none when it is not there.
    fn versions(&self, package: &PackageName) -> Result<Vec<Version>>;
    /// What one version needs.
    fn release(&self, package: &PackageName, version: &Version) -> Result<Release>;
}

/// What one version of a package needs.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// The runtime, plugins and libraries.
    pub requirements: Vec<Requirement>,
    /// The plugin API that a plugin speaks.
    pub api: Option<(u32, u32)>,
}

/// What is asked for, and by whom.
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    /// The asker in explanations: `this project`, `this command`.
    pub asker: &'a str,
    /// The packages asked for.
    pub wanted: Vec<(PackageName, VersionReq)>,
    /// The project's own range for the runtime.
    pub runtime_range: Option<VersionReq>,
    /// The runtime that is there.
    pub runtime: Version,
    /// The plugin API of that runtime.
    pub api: (u32, u32),
    /// Versions to stay with when they fit.
    pub preferred: BTreeMap<PackageName, Version>,
    /// Whether pre-releases count even where nobody names one.
    pub pre: bool,
}

/// Solves a [`Problem`]. When it has no solution, the error explains why.
pub fn resolve(
    problem: &Problem<'_>,
    catalogue: &dyn Catalogue,
) -> Result<BTreeMap<PackageName, Version>> {
    let provider = Provider {
        problem,
        catalogue,
        pre: RefCell::default(),
    };
    let origin = Point(Version::new(0, 0, 0));
    match pubgrub::resolve(&provider, Node::Asker(problem.asker.to_owned()), origin) {
        Ok(solution) => Ok(solution
            .into_iter()
            .filter_map(|(node, version)| match node {
                Node::Package(package) => Some((package, version.0)),
                _ => None,
            })
            .collect()),
        Err(PubGrubError::NoSolution(tree)) => {
            let words = Explain {
                runtime: &problem.runtime,
                api: problem.api,
            };
            let explanation =
                DefaultStringReporter::report_with_formatter(&without_gaps(&tree), &words);
            Err(Error::new(
                ErrorKind::Conflict,
                format!("no versions fit together\n\n{explanation}"),
            ))
        }
        Err(
            PubGrubError::ErrorRetrievingDependencies { source, .. }
            | PubGrubError::ErrorChoosingVersion { source, .. }
            | PubGrubError::ErrorInShouldCancel(source),
        ) => Err(source),
    }
}

/// What the solver calls a package.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Node {
    Asker(String),
    Runtime,
    Api,
    Package(PackageName),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Asker(name) => f.write_str(name),
            Node::Runtime => f.write_str("assay"),
            Node::Api => f.write_str("plugin API"),
            Node::Package(package) => package.fmt(f),
        }
    }
}

struct Provider<'a> {
    problem: &'a Problem<'a>,
    catalogue: &'a dyn Catalogue,
    /// Packages for which some requirement names a pre-release.
    pre: RefCell<std::collections::BTreeSet<PackageName>>,
}

impl Provider<'_> {
    fn node(&self, requirement: &Requirement) -> (Node, Ranges<Point>) {
        match requirement {
            Requirement::Runtime(range) => (Node::Runtime, ranges(range)),
            Requirement::Package(package, range) => {
                if mentions_pre(range) {
                    self.pre.borrow_mut().insert(package.clone());
                }
                (Node::Package(package.clone()), ranges(range))
            }
        }
    }
}

impl DependencyProvider for Provider<'_> {
    type P = Node;
    type V = Point;
    type VS = Ranges<Point>;
    type Priority = (u32, Reverse<usize>);
    type M = String;
    type Err = Error;

    fn prioritize(
        &self,
        node: &Node,
        range: &Self::VS,
        statistics: &PackageResolutionStatistics,
    ) -> Self::Priority {
        // Conflicts first, then what has the fewest versions to try.
        let count = match node {
            Node::Package(package) => self.catalogue.versions(package).map_or(0, |versions| {
                versions
                    .into_iter()
                    .filter(|version| range.contains(&Point(version.clone())))
                    .count()
            }),
            _ => 0,
        };
        (statistics.conflict_count(), Reverse(count))
    }

    fn choose_version(&self, node: &Node, range: &Self::VS) -> Result<Option<Point>> {
        let problem = self.problem;
        let package = match node {
            Node::Asker(_) => return Ok(Some(Point(Version::new(0, 0, 0)))),
            Node::Runtime => {
                return Ok(
                    Some(Point(problem.runtime.clone())).filter(|version| range.contains(version))
                );
            }
            Node::Api => {
                return Ok(Some(api_point(problem.api)).filter(|version| range.contains(version)));
            }
            Node::Package(package) => package,
        };
        let pre = problem.pre || self.pre.borrow().contains(package);
        let preferred = problem.preferred.get(package);
        let candidates = self
            .catalogue
            .versions(package)?
            .into_iter()
            .filter(|version| {
                (version.pre.is_empty() || pre || Some(version) == preferred)
                    && range.contains(&Point(version.clone()))
            });
        Ok(candidates
            .max_by_key(|version| (Some(version) == preferred, version.clone()))
            .map(Point))
    }

    fn get_dependencies(
        &self,
        node: &Node,
        version: &Point,
    ) -> Result<Dependencies<Node, Ranges<Point>, String>> {
        // At most one constraint for each package, in a fixed order.
        let mut constraints: Vec<(Node, Ranges<Point>)> = Vec::new();
        let mut add = |(node, range): (Node, Ranges<Point>)| match constraints
            .iter_mut()
            .find(|(known, _)| *known == node)
        {
            Some((_, all)) => *all = all.intersection(&range),
            None => constraints.push((node, range)),
        };
        match node {
            Node::Runtime | Node::Api => {}
            Node::Asker(_) => {
                for (package, range) in &self.problem.wanted {
                    add(self.node(&Requirement::Package(package.clone(), range.clone())));
                }
                if let Some(range) = &self.problem.runtime_range {
                    add((Node::Runtime, ranges(range)));
                }
            }
            Node::Package(package) => {
                let release = self.catalogue.release(package, &version.0)?;
                for requirement in &release.requirements {
                    add(self.node(requirement));
                }
                if let Some((major, minor)) = release.api {
                    // The same major, and at least the minor that it was built for.
                    let next = api_point((major.saturating_add(1), 0));
                    add((Node::Api, between(api_point((major, minor)), next)));
                }
            }
        }
        Ok(Dependencies::Available(constraints.into_iter().collect()))
    }
}

fn api_point((major, minor): (u32, u32)) -> Point {
    Point(Version::new(major.into(), minor.into(), 0))
}

/// The derivation without remarks like "there is no `vault` <1.0.0 | >1.0.0", which
/// stand beside every statement about `vault` 1.0.0 and tell people nothing. That
/// there is no version at all of something, or none that is wanted, stays.
fn without_gaps(tree: &Tree) -> Tree {
    let Tree::Derived(derived) = tree else {
        return tree.clone();
    };
    let (one, two) = (without_gaps(&derived.cause1), without_gaps(&derived.cause2));
    if is_gap(&one, &two) {
        return two;
    }
    if is_gap(&two, &one) {
        return one;
    }
    Tree::Derived(Derived {
        cause1: Arc::new(one),
        cause2: Arc::new(two),
        ..derived.clone()
    })
}

/// Whether `gap` only says that the versions which `about` speaks of are all there are.
fn is_gap(gap: &Tree, about: &Tree) -> bool {
    let Tree::External(External::NoVersions(node, _)) = gap else {
        return false;
    };
    match about {
        Tree::External(External::FromDependencyOf(from, ..) | External::Custom(from, ..)) => {
            from == node
        }
        Tree::External(_) => false,
        Tree::Derived(derived) => matches!(derived.terms.get(node), Some(Term::Positive(_))),
    }
}

/// Words for pubgrub's derivation, one sentence on each line.
struct Explain<'a> {
    runtime: &'a Version,
    api: (u32, u32),
}

type Tree = DerivationTree<Node, Ranges<Point>, String>;

type Externals = External<Node, Ranges<Point>, String>;
type Deriveds = Derived<Node, Ranges<Point>, String>;
type Terms = Map<Node, Term<Ranges<Point>>>;

impl Explain<'_> {
    fn depends(
        &self,
        from: &Node,
        from_range: &Ranges<Point>,
        to: &Node,
        range: &Ranges<Point>,
    ) -> String {
        let verb = match (from, to) {
            (Node::Asker(_), _) => "asks for",
            (_, Node::Api) => "speaks",
            _ => "requires",
        };
        format!(
            "{} {verb} {}",
            self.named(from, from_range),
            self.named(to, range)
        )
    }

    fn named(&self, node: &Node, range: &Ranges<Point>) -> String {
        if matches!(node, Node::Asker(_)) || *range == Ranges::full() {
            return node.to_string();
        }
        format!("{node} {range}")
    }
}

impl ReportFormatter<Node, Ranges<Point>, String> for Explain<'_> {
    type Output = String;

    fn format_external(&self, external: &Externals) -> String {
        match external {
            External::NotRoot(node, _) => format!("{node} is being resolved"),
            External::NoVersions(Node::Runtime, _) => format!("this assay is {}", self.runtime),
            External::NoVersions(Node::Api, _) => {
                format!("this assay speaks plugin API {}.{}", self.api.0, self.api.1)
            }
            External::NoVersions(node, range) if *range == Ranges::full() => {
                format!("there is no {node}")
            }
            External::NoVersions(node, range) => format!("there is no {node} {range}"),
            External::Custom(node, range, why) => {
                format!("{} cannot be used: {why}", self.named(node, range))
            }
            External::FromDependencyOf(from, from_range, to, range) => {
                self.depends(from, from_range, to, range)
            }
        }
    }

    fn format_terms(&self, terms: &Terms) -> String {
        let terms: Vec<_> = terms.iter().collect();
        match terms.as_slice() {
            [] | [(Node::Asker(_), Term::Positive(_))] => "the request cannot be met".to_owned(),
            [(node, Term::Positive(range))] => {
                format!("{} cannot be used", self.named(node, range))
            }
            [(node, Term::Negative(range))] => format!("{} is needed", self.named(node, range)),
            [(a, Term::Positive(ra)), (b, Term::Negative(rb))]
            | [(b, Term::Negative(rb)), (a, Term::Positive(ra))] => self.depends(a, ra, b, rb),
            several => {
                let mut names: Vec<String> = several
                    .iter()
                    .map(|(node, term)| match term {
                        Term::Positive(range) => self.named(node, range),
                        Term::Negative(range) => format!("not {}", self.named(node, range)),
                    })
                    .collect();
                // The map's own order is an accident of its hash.
                names.sort();
                format!("{} do not fit together", names.join(" and "))
            }
        }
    }

    fn explain_both_external(&self, one: &Externals, two: &Externals, terms: &Terms) -> String {
        let (one, two) = (self.format_external(one), self.format_external(two));
        format!("Because {one} and {two}, {}.", self.format_terms(terms))
    }

    fn explain_both_ref(
        &self,
        id1: usize,
        one: &Deriveds,
        id2: usize,
        two: &Deriveds,
        terms: &Terms,
    ) -> String {
        let (one, two) = (self.format_terms(&one.terms), self.format_terms(&two.terms));
        format!(
            "Because {one} ({id1}) and {two} ({id2}), {}.",
            self.format_terms(terms)
        )
    }

    fn explain_ref_and_external(
        &self,
        id: usize,
        one: &Deriveds,
        two: &Externals,
        terms: &Terms,
    ) -> String {
        let (one, two) = (self.format_terms(&one.terms), self.format_external(two));
        format!(
            "Because {one} ({id}) and {two}, {}.",
            self.format_terms(terms)
        )
    }

    fn and_explain_external(&self, external: &Externals, terms: &Terms) -> String {
        format!(
            "And because {}, {}.",
            self.format_external(external),
            self.format_terms(terms)
        )
    }

    fn and_explain_ref(&self, id: usize, one: &Deriveds, terms: &Terms) -> String {
        format!(
            "And because {} ({id}), {}.",
            self.format_terms(&one.terms),
            self.format_terms(terms)
        )
    }

    fn and_explain_prior_and_external(
        &self,
        prior: &Externals,
        external: &Externals,
        terms: &Terms,
    ) -> String {
        let (prior, external) = (self.format_external(prior), self.format_external(external));
        format!(
            "And because {prior} and {external}, {}.",
            self.format_terms(terms)
        )
    }
}
