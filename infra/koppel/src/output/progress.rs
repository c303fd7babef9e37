//! The progress bar of a run, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use koppel_core::outcome::Funnel;

use super::Output;

/// Shows how far a run is. Does nothing where nobody watches.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for a flow.
    pub fn new(output: &Output, flow: &str) -> Self {
        if !output.watched || output.quiet || output.json {
            return Self { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.set_prefix(flow.to_owned());
        Self { bar }
    }

    /// Shows the counts of a run.
    pub fn show(&self, funnel: &Funnel) {
        self.bar.set_length(funnel.fetched);
        self.bar.set_position(funnel.settled());
    }

    /// Says what is waited for.
    pub fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
