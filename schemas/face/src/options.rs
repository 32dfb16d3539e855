//! Options that both programs take, before a command or after it.

use std::ffi::OsString;

use crate::{Answer, ColorChoice};

/// How a program shows what it does, whatever the command.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct GlobalOptions {
    /// Colour in text: auto (on a terminal, unless `NO_COLOR` is set), always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    pub color: ColorChoice,
    /// Log to standard error, as text or json: the calls of a run, or what `SWITCHBACK_LOG` selects
    #[arg(long, global = true, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub log_format: Option<Answer>,
}

impl GlobalOptions {
    /// The same as words of a command line, to hand on.
    pub fn words(self) -> Vec<OsString> {
        let color = (self.color != ColorChoice::Auto).then(|| ["--color", self.color.name()]);
        let logs = self.log_format.map(|format| ["--log-format", format.name()]);
        color.into_iter().chain(logs).flatten().map(OsString::from).collect()
    }
}
