//! The `switchback` command: looks at files, and hands what touches a platform to `switchback-exec`.

mod args;
mod commands;
mod environment;
mod error;
mod files;
mod foreign;
mod forward;
mod manifests;

use std::process::ExitCode;

use switchback_face::{Terminal, documents, terminal};

use crate::{args::Parsed, commands::Then, environment::Environment, forward::Forward};

fn main() -> ExitCode {
    let environment = Environment::read();
    match args::parse(std::env::args_os()) {
        Ok(Parsed::Own(args)) => {
            let mut terminal = Terminal::new(args.options.color, &environment.around);
            let exit = match commands::run(args.command, &mut terminal) {
                Ok(Then::End(exit)) => Ok(exit),
                // Comes back only if there is nothing to hand over to.
                Ok(Then::HandOver(words)) => {
                    Err(forward::exec(&Forward { options: args.options, words }, &environment))
                }
                Err(error) => Err(error),
            };
            terminal.end(exit).into()
        }
        Ok(Parsed::Forward(command)) => {
            let mut terminal = Terminal::new(command.options.color, &environment.around);
            // Comes back only if there is nothing to hand over to.
            let error = forward::exec(&command, &environment);
            terminal.end(Err(error)).into()
        }
        Err(usage) => Terminal::usage(&usage).into(),
    }
}
