//! Builds a module's programs into the cache.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Output,
};

use crate::{
    Error,
    cache::{self, BUILD_FLAGS},
    host,
    modules::Module,
    process,
};

/// The folder that holds a module's programs, if all of them are there.
pub(crate) fn built(module: &Module) -> Result<Option<PathBuf>, Error> {
    let bin = cache::root()?.join(cache::key(module)?).join("bin");
    let complete = module.programs.iter().all(|program| bin.join(program.name).is_file());
    Ok(complete.then_some(bin))
}

/// Builds what `built` does not find. Two builders of one module wait for each other; a build that
/// is cut short leaves nothing that looks finished.
pub(crate) fn build(module: &Module) -> Result<PathBuf, Error> {
    let root = cache::root()?;
    let key = cache::key(module)?;
    fs::create_dir_all(&root).map_err(Error::io("create", &root))?;
    let lock_path = root.join(format!("{key}.lock"));
    let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
    lock.lock().map_err(Error::io("lock", &lock_path))?;
    if let Some(bin) = built(module)? {
        return Ok(bin);
    }

    // In the cache itself, so that the rename below stays on one file system.
    let temporary = tempfile::Builder::new()
        .prefix("build-")
        .tempdir_in(&root)
        .map_err(Error::io("create a directory in", &root))?;
    let source = temporary.path().join("module");
    let finished = temporary.path().join("finished");
    let bin = finished.join("bin");
    for directory in [&source, &bin] {
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    }
    // Built from the text this program was compiled with, so that key and input cannot differ.
    for (name, text) in [("go.mod", module.go_mod), ("go.sum", module.go_sum)] {
        let path = source.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    compile(module, &source, &bin)?;

    let target = root.join(&key);
    if target.exists() {
        // Something removed a program from it; the lock says nobody else is at it.
        fs::remove_dir_all(&target).map_err(Error::io("remove", &target))?;
    }
    fs::rename(&finished, &target).map_err(Error::io("put in place", &target))?;
    Ok(target.join("bin"))
}

fn compile(module: &Module, source: &Path, bin: &Path) -> Result<(), Error> {
    let output = match module.programs {
        // Named here, because Go would call it after its package ("server", "helm").
        [only] => bin.join(only.name),
        _ => bin.join(""),
    };
    let result = host::command("go")
        .arg("build")
        .args(BUILD_FLAGS)
        // Two at a time: the rest of a test run shares the machine.
        .args(["-p", "2", "-ldflags"])
        .arg(module.ldflags()?)
        .arg("-o")
        .arg(output)
        // One call for all of a module's programs, so that they share the work.
        .args(module.programs.iter().map(|program| program.package))
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        // A go.work above the cache directory is not ours.
        .env("GOWORK", "off")
        .output();
    match result {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { status, stderr, .. }) => Err(Error::GoBuild {
            module: module.name,
            status,
            output: process::tail(&String::from_utf8_lossy(&stderr)),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::GoMissing),
        Err(error) => Err(host::spawn("go", error)),
    }
}
