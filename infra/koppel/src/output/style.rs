//! Colours, only where a person sees them: on a terminal, and not when `NO_COLOR` is set.

use koppel_core::outcome::Outcome;

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

/// A colour of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Good.
    Green,
    /// Wrong.
    Red,
    /// Needs a look.
    Yellow,
    /// Of less weight.
    Dim,
    /// Headings.
    Bold,
}

impl Style {
    /// Colours when `terminal`, unless the environment says otherwise.
    pub fn detect(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { colour: terminal && !refused }
    }

    /// Colours `text`.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if !self.colour || text.trim().is_empty() {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => "32",
            Colour::Red => "31",
            Colour::Yellow => "33",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The colour of an outcome.
pub fn of_outcome(outcome: Outcome) -> Option<Colour> {
    match outcome {
        Outcome::Created | Outcome::Updated => Some(Colour::Green),
        Outcome::Rejected => Some(Colour::Red),
        Outcome::Parked => Some(Colour::Yellow),
        Outcome::Filtered | Outcome::Unchanged | Outcome::Skipped => Some(Colour::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_terminal_no_colour() {
        assert_eq!(Style::detect(false).paint(Colour::Red, "x"), "x");
        assert_eq!(Style { colour: true }.paint(Colour::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
