//! Reads the arguments of a verb.

use std::ffi::OsString;

use assay_registry::error::{Error, ErrorKind, Result};
use assay_registry::name::closest;
use lexopt::{Arg, Parser, ValueExt};

/// The arguments of one verb, one after the other.
pub struct Arguments {
    parser: Parser,
    verb: &'static str,
    flags: &'static [&'static str],
}

/// One argument.
pub enum Argument {
    /// `--name`, without the dashes.
    Flag(String),
    /// Anything else.
    Word(String),
}

impl Arguments {
    /// `flags` are those that the verb knows: for did-you-mean.
    pub fn new(
        verb: &'static str,
        flags: &'static [&'static str],
        arguments: Vec<OsString>,
    ) -> Self {
        Arguments {
            parser: Parser::from_args(arguments),
            verb,
            flags,
        }
    }

    /// The next argument. A flag that the verb does not know is an error.
    pub fn next(&mut self) -> Result<Option<Argument>> {
        let verb = self.verb;
        let argument = match self.parser.next().map_err(|error| wrong(verb, &error))? {
            None => return Ok(None),
            Some(Arg::Long(flag)) => Argument::Flag(flag.to_owned()),
            Some(Arg::Short(flag)) => Argument::Flag(flag.to_string()),
            Some(Arg::Value(word)) => {
                Argument::Word(word.string().map_err(|error| wrong(verb, &error))?)
            }
        };
        match argument {
            Argument::Flag(flag) if !self.flags.contains(&flag.as_str()) => {
                let error = Error::new(
                    ErrorKind::Usage,
                    format!("`{}` has no option `--{flag}`", self.verb),
                );
                Err(match closest(&flag, self.flags.iter().copied()) {
                    Some(close) => error.with_hint(format!("did you mean `--{close}`?")),
                    None => self.hinted(error),
                })
            }
            argument => Ok(Some(argument)),
        }
    }

    /// The value of the flag that was just read.
    pub fn value(&mut self) -> Result<String> {
        let value = self.parser.value().and_then(|value| value.string());
        value.map_err(|error| wrong(self.verb, &error))
    }

    /// The error for a word that the verb has no use for.
    pub fn unexpected(&self, word: &str) -> Error {
        self.hinted(Error::new(
            ErrorKind::Usage,
            format!("`{}` has no use for `{word}`", self.verb),
        ))
    }

    fn hinted(&self, error: Error) -> Error {
        hinted(self.verb, error)
    }
}

fn wrong(verb: &str, error: &lexopt::Error) -> Error {
    hinted(
        verb,
        Error::new(ErrorKind::Usage, format!("`{verb}`: {error}")),
    )
}

fn hinted(verb: &str, error: Error) -> Error {
    error.with_hint(format!("assay {verb} --help shows the options"))
}
