//! `switchback schema`: the JSON Schemas of manifests and documents.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use schemars::Schema;
use switchback_face::Exit;
use switchback_schemas::{codes, published};

use crate::{documents, error::Error, manifests::registry, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A kind of manifest or a document, such as Platform or plan; their names when it is left out
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Write all schemas into a directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "check"])]
    write: Option<PathBuf>,
    /// Check that the schemas in a directory are what this build would write
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    check: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    if let Some(directory) = &args.write {
        return write(directory, terminal);
    }
    if let Some(directory) = &args.check {
        return check(directory, terminal);
    }
    let all = all()?;
    let text = match &args.name {
        None => all.iter().flat_map(|(name, _)| [*name, "\n"]).collect(),
        Some(asked) => {
            let (_, schema) =
                all.iter().find(|(name, _)| name.eq_ignore_ascii_case(asked)).ok_or_else(|| {
                    Error::NoSuch {
                        what: format!("there is no schema {asked:?}"),
                        help: "run `switchback schema` for their names".to_owned(),
                    }
                })?;
            published::text(schema)
        }
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}

/// Every schema by its name: kinds of manifests as they are written, documents in lower case.
fn all() -> Result<Vec<(&'static str, Schema)>, Error> {
    let kinds = registry()?.kinds().schemas().map(|(kind, schema)| (kind, schema.clone()));
    Ok(kinds.chain(published::documents()).collect())
}

fn write(directory: &Path, terminal: &mut Terminal) -> Result<Exit, Error> {
    for (name, schema) in all()? {
        let path = directory.join(published::file_name(name));
        let text = published::text(&schema);
        if read(&path).is_some_and(|old| old == text) {
            continue;
        }
        documents::write(&path, text.as_bytes())?;
        terminal.out.line(&format!("wrote {}", path.display())).map_err(Error::Write)?;
    }
    Ok(Exit::Success)
}

fn check(directory: &Path, terminal: &mut Terminal) -> Result<Exit, Error> {
    let mut exit = Exit::Success;
    for (name, schema) in all()? {
        let path = directory.join(published::file_name(name));
        if read(&path).is_none_or(|old| old != published::text(&schema)) {
            let line = format!("{} is out of date", path.display());
            terminal.out.line(&line).map_err(Error::Write)?;
            exit = Exit::Failed;
        }
    }
    if exit != Exit::Success {
        let help = format!("run `switchback schema --write {}`", directory.display());
        terminal.code(codes::COMMAND_OUT_OF_DATE, &help).map_err(Error::Write)?;
    }
    Ok(exit)
}

/// A file that is missing or no text is out of date like any other.
fn read(path: &Path) -> Option<String> {
    let text: io::Result<String> = fs::read_to_string(path);
    text.ok()
}
