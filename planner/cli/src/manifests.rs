//! Manifests as every command reads them, and how it says what was found.

use std::{collections::BTreeMap, path::PathBuf};

use switchback_face::{Exit, Sources, diagnostics};
use switchback_planner::{
    components::built_in,
    manifest::{self, Manifests},
    registry::Registry,
};
use switchback_schemas::{Diagnostic, Label};

use crate::{error::Error, files, foreign, terminal::Terminal};

/// What was read.
pub(crate) struct Read {
    /// The manifests; none where something forbids to go on with them.
    pub(crate) manifests: Option<Manifests>,
    /// What there is to say.
    pub(crate) findings: Vec<Diagnostic>,
    /// The texts that findings point into: the files, and the catalog.
    pub(crate) sources: Sources,
}

/// The components of this build.
pub(crate) fn registry() -> Result<&'static Registry<'static>, Error> {
    built_in().map_err(|bug| Error::Bug(bug.message))
}

/// Reads files and directories of manifests.
pub(crate) fn read(registry: &Registry<'_>, paths: &[PathBuf]) -> Read {
    let (files, mut findings) = files::read(paths);
    let named = files.iter().map(|(name, bytes)| (name.as_str(), bytes));
    let (manifests, found) = manifest::read(registry.kinds(), named);
    let places: BTreeMap<&str, _> =
        files.iter().map(|(name, bytes)| (name.as_str(), foreign::places(bytes))).collect();
    let is_foreign = |label: &Label| {
        let places = places.get(label.file.as_str()).into_iter().flatten();
        places.into_iter().any(|place| place.contains(&label.start) || place.end == label.start)
    };
    findings.extend(found.into_iter().map(|finding| foreign::reduced(finding, is_foreign)));
    let shown = files.iter().map(|(name, bytes)| {
        let places = places.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        (name.clone(), foreign::blanked(bytes.clone(), places))
    });
    // A file that could not be read is an error, so what is left is not the whole set.
    let manifests = manifests.filter(|_| Exit::of(&findings) == Exit::Success);
    Read { manifests, findings, sources: shown.chain(registry.catalog().sources()).collect() }
}

/// Says what was found on the stream for remarks, and how a command that found it ends.
pub(crate) fn remark(
    terminal: &mut Terminal,
    findings: &[Diagnostic],
    sources: &Sources,
) -> Result<Exit, Error> {
    let text = diagnostics::text(findings, sources, terminal.err.look());
    terminal.err.colored(&text).and_then(|()| terminal.err.flush()).map_err(Error::Write)?;
    Ok(Exit::of(findings))
}
