//! Versions, ranges, and how a range looks to the solver.

use std::fmt;

use pubgrub::Ranges;
use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};

use crate::error::{Result, usage};

/// Reads a version as an author writes it: `MAJOR.MINOR.PATCH[-pre]`, no build part.
pub fn parse(text: &str) -> Result<Version> {
    let hint = "versions are MAJOR.MINOR.PATCH[-pre], for example 0.1.0 or 1.2.0-rc.1";
    let version = Version::parse(text).map_err(|error| {
        usage(format!("`{text}` is not a version"))
            .with_source(error)
            .with_hint(hint)
    })?;
    if !version.build.is_empty() {
        return Err(usage(format!("`{text}`: a tag cannot hold a `+` part")).with_hint(hint));
    }
    Ok(version)
}

/// Reads a tag; anything that is not a version (a leading `v` is fine) is `None`.
pub fn parse_tag(tag: &str) -> Option<Version> {
    parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// Reads a range: `^0.1`, `>=0.4, <0.6`, `1.2` (the same as `^1.2`), `*`.
pub fn parse_range(text: &str) -> Result<VersionReq> {
    VersionReq::parse(text).map_err(|error| {
        usage(format!("`{text}` is not a range of versions"))
            .with_source(error)
            .with_hint("ranges look like ^0.1, >=0.4, <0.6, =1.2.3 or *")
    })
}

/// The range that `install` records for a version it chose: `^0.1`, `^1.4`.
pub fn recorded_range(version: &Version) -> String {
    if version.pre.is_empty() {
        format!("^{}.{}", version.major, version.minor)
    } else {
        format!("^{version}")
    }
}

/// Whether a range names a pre-release itself and so asks for one.
pub(crate) fn mentions_pre(range: &VersionReq) -> bool {
    range
        .comparators
        .iter()
        .any(|comparator| !comparator.pre.is_empty())
}

/// A version inside the solver. It shows the lowest pre-release `1.0.0-0`, which
/// stands for "below 1.0.0 and all of its pre-releases", as `1.0.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Point(pub(crate) Version);

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version {
            major,
            minor,
            patch,
            pre,
            ..
        } = &self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if !pre.is_empty() && pre.as_str() != "0" {
            write!(f, "-{pre}")?;
        }
        Ok(())
    }
}

/// The versions that a range allows.
pub(crate) fn ranges(range: &VersionReq) -> Ranges<Point> {
    range
        .comparators
        .iter()
        .map(comparator_ranges)
        .fold(Ranges::full(), |all, one| all.intersection(&one))
}

fn comparator_ranges(c: &Comparator) -> Ranges<Point> {
    let (major, minor, patch) = (c.major, c.minor.unwrap_or(0), c.patch.unwrap_or(0));
    let lowest = point(major, minor, patch, c.pre.clone());
    // One past the last version that the written digits cover.
    let after_written = match (c.minor, c.patch) {
        (None, _) => before(major.saturating_add(1), 0, 0),
        (Some(minor), None) => before(major, minor.saturating_add(1), 0),
        (Some(minor), Some(patch)) => before(major, minor, patch.saturating_add(1)),
    };
    match c.op {
        Op::Exact | Op::Wildcard => match c.patch {
            Some(_) => Ranges::singleton(lowest),
            None => between(lowest, after_written),
        },
        Op::Greater => match c.patch {
            Some(_) => Ranges::strictly_higher_than(lowest),
            None => Ranges::higher_than(after_written),
        },
        Op::GreaterEq => Ranges::higher_than(lowest),
        Op::Less if c.pre.is_empty() => Ranges::strictly_lower_than(before(major, minor, patch)),
        Op::Less => Ranges::strictly_lower_than(lowest),
        Op::LessEq => match c.patch {
            Some(_) => Ranges::lower_than(lowest),
            None => Ranges::strictly_lower_than(after_written),
        },
        Op::Tilde => match c.minor {
            None => between(lowest, before(major.saturating_add(1), 0, 0)),
            Some(minor) => between(lowest, before(major, minor.saturating_add(1), 0)),
        },
        // Caret, and whatever operator semver may grow: the careful reading.
        _ => {
            let end = match (major, c.minor, c.patch) {
                (1.., _, _) | (0, None, _) => before(major.saturating_add(1), 0, 0),
                (0, Some(minor @ 1..), _) | (0, Some(minor), None) => {
                    before(0, minor.saturating_add(1), 0)
                }
                (0, Some(minor), Some(patch)) => before(0, minor, patch.saturating_add(1)),
            };
            between(lowest, end)
        }
    }
}

/// From `low` to below `high`: nothing when the numbers end before that.
pub(crate) fn between(low: Point, high: Point) -> Ranges<Point> {
    if low < high {
        Ranges::between(low, high)
    } else {
        Ranges::empty()
    }
}

fn point(major: u64, minor: u64, patch: u64, pre: Prerelease) -> Point {
    Point(Version {
        major,
        minor,
        patch,
        pre,
        build: BuildMetadata::EMPTY,
    })
}

fn before(major: u64, minor: u64, patch: u64) -> Point {
    point(
        major,
        minor,
        patch,
        Prerelease::new("0").expect("`0` is a pre-release"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solver_allows_exactly_what_semver_allows() {
        let versions = [
            "0.0.1", "0.0.2", "0.1.0", "0.1.5", "0.2.0", "0.4.0", "0.5.9", "0.6.0", "1.0.0",
            "1.2.0", "1.2.3", "1.2.4", "1.3.0", "2.0.0",
        ];
        let written = [
            "*",
            "^0.1",
            "0.1",
            "^0",
            "^0.0",
            "^0.0.1",
            "^1.2",
            "^1.2.3",
            "~1",
            "~1.2",
            "~1.2.3",
            "=1.2.3",
            "=1.2",
            "=1",
            "1.*",
            "1.2.*",
            ">1.2",
            ">1",
            ">1.2.3",
            ">=0.4, <0.6",
            "<1",
            "<1.2.3",
            "<=1.2",
            "<=1.2.3",
        ];
        for text in written {
            let range = parse_range(text).unwrap();
            let allowed = ranges(&range);
            for version in versions.map(|v| parse(v).unwrap()) {
                let expected = range.matches(&version);
                assert_eq!(
                    allowed.contains(&Point(version.clone())),
                    expected,
                    "{text} and {version}"
                );
            }
        }
    }

    #[test]
    fn the_next_major_release_candidate_is_outside_a_caret() {
        let allowed = ranges(&parse_range("^0.1").unwrap());
        assert!(!allowed.contains(&Point(parse("0.2.0-rc.1").unwrap())));
        assert_eq!(allowed.to_string(), ">=0.1.0, <0.2.0");
    }

    #[test]
    fn tags_that_are_not_versions_are_ignored() {
        assert_eq!(parse_tag("v1.2.3"), Some(Version::new(1, 2, 3)));
        for tag in ["latest", "1.2", "1.2.3+build", "sha256-00.sig", ""] {
            assert_eq!(parse_tag(tag), None, "{tag}");
        }
    }

    #[test]
    fn huge_numbers_in_a_range_do_not_overflow() {
        // u64::MAX parses; one past it must not wrap or panic.
        let text = format!("^{}", u64::MAX);
        if let Ok(range) = parse_range(&text) {
            let _ = ranges(&range);
        }
    }
}
