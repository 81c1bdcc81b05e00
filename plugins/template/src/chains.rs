//! Sources that would overflow the native stack. The engine limits how deep a template is nested, but not how
//! long its chains are (`a + a + a`, `a.b.b`, `not not a`, `elif`), which its compiler follows as deep.
//!
//! Without a limit, 6,000 links or 1,900 `elif` end a process with 2 MB of stack.

use assay_plugin::{Error, Result};
use minijinja::machinery::{Token, tokenize};

/// Operators, names and values in one expression, commas apart.
const MAX_PARTS: usize = 1000;
/// `elif` in one `if`, and those around it.
const MAX_BRANCHES: usize = 250;

/// An error where `source`, that of the template `name`, has such a chain. Other mistakes are the parser's to tell.
pub fn check(name: &str, source: &str) -> Result<()> {
    // The parts since the last comma, for each open bracket, and all of them; `elif` for each open `if`.
    let (mut parts, mut total, mut branches) = (vec![0], 0, Vec::new());
    let mut starts = false;
    for (token, span) in tokenize(source, false, Default::default()).map_while(|token| token.ok()) {
        let too_long = |what: String, hint: &str| {
            let line = span.start_line;
            Err(Error::new("template", format!("{name}:{line}: {what}")).hint(hint))
        };
        match token {
            Token::VariableStart | Token::BlockStart => (parts, total) = (vec![0], 0),
            Token::Ident("if") if starts => branches.push(0),
            Token::Ident("endif") if starts => drop(branches.pop()),
            Token::Ident("elif") if starts => {
                if let Some(last) = branches.last_mut() {
                    *last += 1;
                }
                if branches.iter().sum::<usize>() > MAX_BRANCHES {
                    let what = format!("an `if` of more than {MAX_BRANCHES} branches");
                    return too_long(what, "look the case up in a map instead");
                }
            }
            Token::Comma => total -= parts.last_mut().map_or(0, std::mem::take),
            _ => {
                match token {
                    Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => parts.push(0),
                    Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                        total -= parts.pop().unwrap_or(0);
                    }
                    _ => {}
                }
                total += 1;
                if let Some(last) = parts.last_mut() {
                    *last += 1;
                }
                if total > MAX_PARTS {
                    let what = format!("an expression of more than {MAX_PARTS} parts");
                    return too_long(what, "{% set %} splits it");
                }
            }
        }
        starts = matches!(token, Token::BlockStart);
    }
    Ok(())
}
